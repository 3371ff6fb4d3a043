"""Selective synaptic dampening: one look, no training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from guard.distil.axes import Procedure
from guard.distil.errors import BudgetSpent, DistilError
from guard.distil.job import Job
from guard.distil.losses import mean_nll
from guard.distil.part import Axis, Claim, Need
from guard.distil.probe import Probe
from guard.distil.registry import register
from guard.distil.rows import Row


@dataclass(frozen=True, slots=True)
class SSDConfig:
    """`alphas`: how much more a weight must matter to what goes than to everything; the lowest
    whose result is within the retain budget is kept. The paper's single value is 10, for images;
    language models need a wider search. `strength`: lambda.
    """

    alphas: tuple[Annotated[float, Field(gt=0)], ...] = (10.0,)
    strength: Annotated[float, Field(gt=0)] = 1.0


def dampened(
    weight: Tensor, forget: Tensor, whole: Tensor, alpha: float, strength: float
) -> Tensor:
    """weight x min(lambda F_D / F_f, 1) where F_f > alpha F_D, else weight; all of one shape."""
    factor = (strength * whole / forget.clamp(min=torch.finfo(forget.dtype).tiny)).clamp(max=1)
    return torch.where(forget > alpha * whole, weight * factor, weight)


def importance(job: Job, rows: Sequence[Row]) -> dict[str, Tensor]:
    """The mean over rows of the squared gradient of each row's own loss, by parameter."""
    trained = job.trained
    total = {name: torch.zeros_like(p) for name, p in trained.items()}
    job.model.eval()
    for row in rows:
        batch = job.batch([row])
        loss = mean_nll(job.logits(batch), batch.labels).sum()
        grads = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
        for name, grad in zip(trained, grads, strict=True):
            if grad is not None:
                total[name] += grad.square() / len(rows)
    return total


@register(
    Axis.PROCEDURE,
    "ssd",
    source="Foster et al. 2023, arXiv 2308.07707 (SSD), selection and dampening",
    faithful="gradients are squared a row at a time, as the Fisher diagonal asks, where the "
    "published code squares those of batches",
    claim=Claim.BEHAVIOUR,
    needs=[Need.RETAIN],
)
class SSD(Procedure[SSDConfig]):
    """Shrinks the weights that matter to what must go out of proportion to all else.

    All rows of the run are the whole D. Takes three times the memory of the weights.
    """

    Config = SSDConfig
    uses: ClassVar[frozenset[Axis]] = frozenset()

    def run(self, job: Job) -> None:
        """Dampens once for each alpha, lowest first. Raises `BudgetSpent` when none will do, and
        `DistilError` when nothing is left to dampen.
        """
        data = job.data
        probe = Probe.of(job, job.retain_budget)
        forget = importance(job, data.forget)
        whole = importance(job, (*data.forget, *data.retain, *data.general))
        start = {name: p.detach().clone() for name, p in job.trained.items()}
        for alpha in sorted(self.config.alphas):
            count = self._apply(job, start, forget, whole, alpha)
            loss, within = probe.look(job)
            job.history.append({"alpha": alpha, "dampened": count, "probe": loss})
            if not count:
                raise DistilError(
                    f"no weight matters {alpha:g} times as much to what must go as to everything; "
                    "lower procedure.alphas: with these rows the most there can be is "
                    f"{self._most(job):.3g}"
                )
            if within:
                job.outcome |= {
                    "alpha": alpha,
                    "dampened_weights": count,
                    "probe_start": probe.start,
                    "probe_allowed": probe.allowed,
                    "probe_kept": loss,
                }
                return
        raise BudgetSpent(
            "dampening costs more of what is retained than the budget allows at every alpha "
            f"({', '.join(f'{a:g}' for a in sorted(self.config.alphas))}); give higher "
            "procedure.alphas, or raise train.retain_budget"
        )

    @staticmethod
    def _most(job: Job) -> float:
        """The forgotten rows are part of the whole, so F_f / F_D is at most |D| / |D_f|."""
        data = job.data
        return 1 + (len(data.retain) + len(data.general)) / len(data.forget)

    @torch.no_grad()
    def _apply(
        self,
        job: Job,
        start: dict[str, Tensor],
        forget: dict[str, Tensor],
        whole: dict[str, Tensor],
        alpha: float,
    ) -> int:
        count = 0
        for name, parameter in job.trained.items():
            found = dampened(start[name], forget[name], whole[name], alpha, self.config.strength)
            count += int((found != start[name]).sum())
            parameter.copy_(found)
        return count
