"""Attention shifting's other half: what stays goes on looking at what its answers hang on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor

from guard.distil.attention import answer_attention, importance, show_attention
from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.losses import mean_nll
from guard.distil.part import Axis, Need
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class AttentionKeepingConfig:
    """`label`: the weight of the cross-entropy beside it."""

    label: Annotated[float, Field(ge=0)] = 1.0


@register(
    Axis.RETAIN,
    "attention_keeping",
    source="Attention shifting, arXiv 2510.17210, abstract",
    faithful="in its spirit, as forget: attention_shifting is; cross-entropy added",
    needs=[Need.RETAIN, Need.REFERENCE],
)
class AttentionKeeping(Objective[AttentionKeepingConfig]):
    """Raises the attention that kept answers give to the tokens they hang on."""

    Config = AttentionKeepingConfig

    def prepare(self, job: Job) -> None:
        """Attention weights are needed, which fused kernels do not give out."""
        show_attention(job)

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """Minus the share of attention on important tokens, plus the cross-entropy, [rows]."""
        outputs = job.outputs(batch, output_attentions=True)
        share = answer_attention(outputs.attentions, importance(job, batch), batch.labels)
        return self.config.label * mean_nll(outputs.logits, batch.labels) - share
