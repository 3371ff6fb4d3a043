"""Gradient ascent that ends at a bound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.losses import mean_nll
from guard.distil.part import Axis, Claim
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class BoundedAscentConfig:
    """`bound` in nats a token; None: that of a guess among all tokens, log(vocabulary)."""

    bound: Annotated[float, Field(gt=0)] | None = None


def bounded(nll: Tensor, bound: float) -> Tensor:
    """max(0, bound - nll), [rows]."""
    return (bound - nll).clamp(min=0)


@register(
    Axis.FORGET,
    "bounded_ascent",
    source="GS-LoRA (public code), selective forgetting loss",
    faithful="its bound of 110 belongs to image classifiers; here it is log(vocabulary) of the "
    "mean loss a token",
    claim=Claim.BEHAVIOUR,
)
class BoundedAscent(Objective[BoundedAscentConfig]):
    """Ascent of an answer's loss, no further than the bound."""

    Config = BoundedAscentConfig

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """0 for rows past the bound."""
        logits = job.logits(batch)
        bound = self.config.bound or math.log(logits.shape[-1])
        return bounded(mean_nll(logits, batch.labels), bound)
