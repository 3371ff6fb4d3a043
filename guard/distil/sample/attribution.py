"""GUARD's weights: rows whose forgetting would cost what is retained count for less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from guard.distil.axes import Micro, Sampler
from guard.distil.blocks import batches
from guard.distil.gradients import gradient
from guard.distil.job import Job
from guard.distil.losses import mean_nll
from guard.distil.pairing import paired
from guard.distil.part import Axis, Need
from guard.distil.registry import register
from guard.distil.sampling import epoch_generator, retained_rows


@dataclass(frozen=True, slots=True)
class AttributionConfig:
    """`tau`: the temperature of the weights, in standard deviations of the scores; not given in
    the paper. `rows`: retain rows that make the mean gradient.
    """

    tau: Annotated[float, Field(gt=0)] = 1.0
    rows: Annotated[int, Field(ge=1)] = 256


def attribution_weights(scores: Tensor, tau: float) -> Tensor:
    """n softmax(-a / (tau x spread of a)): mean 1, and less for a higher score; [n]."""
    spread = scores.std(correction=0)
    if not spread > 0:
        return torch.ones_like(scores)
    return len(scores) * torch.softmax(-scores / (tau * spread), 0)


@register(
    Axis.SAMPLE,
    "attribution",
    source="GUARD (data attribution), arXiv 2506.10946, proxy attribution and re-weighting",
    faithful="in its spirit: abstract only; the softmax and its temperature are ours",
    needs=[Need.RETAIN],
)
class Attribution(Sampler[AttributionConfig]):
    """1:1, forget rows weighted by a_i = <grad L(f_i), mean over r of grad L(r)> at the start.

    One backward pass a forget row before the first step; gradients of what is trained.
    """

    Config = AttributionConfig

    def __init__(self, config: AttributionConfig) -> None:
        super().__init__(config)
        self.weights: list[float] = []

    def prepare(self, job: Job) -> None:
        """The weights, from the start model in evaluation mode."""
        job.model.eval()
        rows = job.data.keep()[: self.config.rows]
        mean: Any = 0
        for batch in batches(job, rows, len(rows)):
            loss = mean_nll(job.logits(batch), batch.labels).sum() / len(rows)
            mean = mean + gradient(job, loss)
        scores = []
        for row in job.data.forget:
            batch = job.batch([row])
            loss = mean_nll(job.logits(batch), batch.labels).sum()
            scores.append(gradient(job, loss) @ mean)
        self.weights = attribution_weights(torch.stack(scores).double(), self.config.tau).tolist()

    def epoch(self, job: Job, number: int) -> Iterator[Sequence[Micro]]:
        """Every forget row once."""
        rows = tuple(zip(job.data.forget, self.weights, strict=True))
        yield from paired(job, epoch_generator(job, number), rows, retained_rows(job))

    def state_dict(self) -> dict[str, Any]:
        """The weights: a resumed run must not compute them anew from moved parameters."""
        return {"weights": list(self.weights)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse."""
        self.weights = list(state["weights"])
