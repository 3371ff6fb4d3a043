"""The plain way: one loss, a weighted sum of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from guard.distil.axes import Combiner, Losses
from guard.distil.job import Job
from guard.distil.part import Axis
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class WeightedSumConfig:
    """The weight of each loss."""

    forget: Annotated[float, Field(ge=0)] = 1.0
    retain: Annotated[float, Field(ge=0)] = 1.0


@register(
    Axis.COMBINE,
    "weighted_sum",
    source="Liu et al. 2022 (gradient difference), as in arXiv 2401.06121",
)
class WeightedSum(Combiner[WeightedSumConfig]):
    """forget x L_f + retain x L_r in one backward pass."""

    Config = WeightedSumConfig

    def backward(self, job: Job, losses: Losses, share: float) -> None:
        """Accumulates the gradient of the sum in `.grad`."""
        loss = self.config.forget * losses.forget
        if losses.retain is not None:
            loss = loss + self.config.retain * losses.retain
        for penalty in losses.penalties.values():
            loss = loss + penalty
        job.accelerator.backward(loss * share)
