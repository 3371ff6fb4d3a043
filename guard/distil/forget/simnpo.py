"""SimNPO: NPO without a reference model, on the length-normalised loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn.functional import logsigmoid

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.losses import mean_nll
from guard.distil.part import Axis, Claim
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class SimNPOConfig:
    """`beta`: inverse temperature; `gamma`: the margin, in units of beta x nats."""

    beta: Annotated[float, Field(gt=0)] = 2.5
    gamma: float = 0.0


def simnpo(mean: Tensor, beta: float, gamma: float) -> Tensor:
    """-(2 / beta) log sigmoid(beta mean - gamma), [rows]; `mean` NLL a token."""
    return -2 / beta * logsigmoid(beta * mean - gamma)


@register(
    Axis.FORGET,
    "simnpo",
    source="Fan et al. 2024, arXiv 2410.07163, eq. 4",
    faithful="as published; defaults are the authors' for TOFU",
    claim=Claim.BEHAVIOUR,
)
class SimNPO(Objective[SimNPOConfig]):
    """Drives the loss of the forgotten answers up, most where it is still low."""

    Config = SimNPOConfig

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """The loss of each row."""
        nll = mean_nll(job.logits(batch), batch.labels)
        return simnpo(nll, self.config.beta, self.config.gamma)
