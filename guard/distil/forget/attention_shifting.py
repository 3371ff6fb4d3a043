"""Attention shifting: answers stop looking at the tokens that bear the fact."""

from __future__ import annotations

from torch import Tensor

from guard.distil.attention import answer_attention, importance, show_attention
from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.part import Axis, Claim, Need, NoConfig
from guard.distil.registry import register


@register(
    Axis.FORGET,
    "attention_shifting",
    source="Attention shifting, arXiv 2510.17210, abstract",
    faithful="in its spirit: the losses could not be read; importance is the norm of the answer "
    "loss's gradient at the token's embedding in the start model",
    claim=Claim.REPRESENTATION,
    needs=[Need.PROMPTS, Need.REFERENCE],
)
class AttentionShifting(Objective[NoConfig]):
    """Scales down the attention that answers give to fact-bearing prompt tokens."""

    def prepare(self, job: Job) -> None:
        """Attention weights are needed, which fused kernels do not give out."""
        show_attention(job)

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """The share of attention on important tokens, [rows] in 0..1."""
        attentions = job.outputs(batch, output_attentions=True).attentions
        return answer_attention(attentions, importance(job, batch), batch.labels)
