"""Negative preference optimisation: ascent that fades as the answer becomes unlikely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn.functional import logsigmoid

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.losses import answer_nll
from guard.distil.part import Axis, Claim, Need
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class NPOConfig:
    """`beta`: the inverse temperature; near 0 it is gradient ascent."""

    beta: Annotated[float, Field(gt=0)] = 0.1


def npo(nll: Tensor, reference: Tensor, beta: float) -> Tensor:
    """-(2 / beta) log sigmoid(beta (nll - reference)), all [rows]; nll summed over the answer."""
    return -2 / beta * logsigmoid(beta * (nll - reference))


@register(
    Axis.FORGET,
    "npo",
    source="Zhang et al. 2024, arXiv 2404.05868, eq. 3",
    claim=Claim.BEHAVIOUR,
    needs=[Need.REFERENCE],
)
class NPO(Objective[NPOConfig]):
    """The losing half of DPO: the answers become less likely than the start model has them."""

    Config = NPOConfig

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """The loss of each row; summed, not mean, likelihoods, as the paper has it."""
        nll, _ = answer_nll(job.logits(batch), batch.labels)
        reference, _ = answer_nll(job.reference_logits(batch), batch.labels)
        return npo(nll, reference, self.config.beta)
