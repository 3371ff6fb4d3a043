"""Forgetting under a constraint: the retain loss may reach a bound, and its price is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field

from guard.distil.axes import Combiner, Losses
from guard.distil.errors import DistilError
from guard.distil.job import Job
from guard.distil.part import Axis, Need
from guard.distil.registry import register
from guard.distil.sampling import chunks


@dataclass(frozen=True, slots=True)
class PrimalDualConfig:
    """`bound`: the retain loss, in nats, that must not be passed; when None it follows from the
    start: `spend` of the run's retain budget over the start model's own loss, so that the price
    rises before the run has to stop. `start`: the first price (lambda), 100 as published for
    TOFU. `rate`: eta of its ascent. `warmup`: the passes over the rows in which it stays. `every`:
    how often it moves, by the mean loss since.
    """

    bound: Annotated[float, Field(ge=0)] | None = None
    spend: Annotated[float, Field(gt=0, le=1)] = 0.5
    start: Annotated[float, Field(ge=0)] = 100.0
    rate: Annotated[float, Field(gt=0)] = 5.0
    warmup: Annotated[float, Field(ge=0)] = 5.0
    every: Literal["step", "epoch"] = "step"


def ascend(price: float, loss: float, bound: float, rate: float) -> float:
    """max(0, lambda + eta (L_r - eps))."""
    return max(0.0, price + rate * (loss - bound))


@register(
    Axis.COMBINE,
    "primal_dual",
    source="Constrained entropic unlearning, arXiv 2506.05314, Lagrangian and dual ascent",
    faithful="the paper's bound is (1 + a) L_r(start) with a by task; here it comes from the "
    "policies' retain budget unless given",
    needs=[Need.RETAIN],
)
class PrimalDual(Combiner[PrimalDualConfig]):
    """min L_f such that L_r <= eps, by descent on L_f + lambda (L_r - eps) and ascent in lambda.

    The bound is soft while the run goes on; that no result leaves the run past its retain budget
    is the trainer's part, which goes back to the last weights within it.
    """

    Config = PrimalDualConfig

    def __init__(self, config: PrimalDualConfig) -> None:
        super().__init__(config)
        self.price = config.start
        self.bound = 0.0
        self._seen: list[float] = []

    def prepare(self, job: Job) -> None:
        """Measures the start, by the retain objective's own loss on retain rows."""
        if self.config.bound is not None:
            self.bound = self.config.bound
            return
        start = start_loss(job)
        floor = job.recipe.train.budget_floor
        self.bound = start + self.config.spend * job.retain_budget * max(start, floor)
        if self.bound <= 0:
            raise DistilError("combine.bound: give one; the budget over the start's loss is 0")

    def backward(self, job: Job, losses: Losses, share: float) -> None:
        """The Lagrangian in one pass, over 1 + lambda: the optimum is the same, steps are even."""
        if losses.retain is None:
            raise RuntimeError("primal_dual was given a step without retain rows")
        loss = losses.forget + self.price * (losses.retain - self.bound)
        for penalty in losses.penalties.values():
            loss = loss + penalty
        job.accelerator.backward(loss / (1 + self.price) * share)

    def after_step(self, job: Job, measured: dict[str, float]) -> None:
        """Moves the price by the loss that this step began with."""
        loss = torch.tensor(measured["retain"], dtype=torch.float64, device=job.device)
        if job.accelerator.num_processes > 1:  # one price for all
            loss = job.accelerator.reduce(loss, "mean")
        self._seen.append(float(loss))
        epoch = max(1, job.epoch_steps)
        if job.step + 1 <= self.config.warmup * epoch:
            self._seen = []
        elif self.config.every == "step" or (job.step + 1) % epoch == 0:
            mean = sum(self._seen) / len(self._seen)
            self.price = ascend(self.price, mean, self.bound, self.config.rate)
            self._seen = []
        measured["lambda"] = self.price

    def state_dict(self) -> dict[str, Any]:
        """Price, bound and the losses since it last moved."""
        return {"price": self.price, "bound": self.bound, "seen": list(self._seen)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse."""
        self.price, self.bound, self._seen = state["price"], state["bound"], list(state["seen"])


@torch.no_grad()
def start_loss(job: Job) -> float:
    """The retain objective's mean over (at most `train.probe_rows`) retain rows."""
    retain = job.parts.retain
    if retain is None:
        raise DistilError("combine: primal_dual needs a retain objective")
    rows = job.data.keep(general=retain.on_general)[: job.recipe.train.probe_rows]
    job.model.eval()
    total = sum(
        float(retain.terms(job, job.batch(piece)).sum())
        for piece in chunks(rows, job.recipe.train.batch_size)
    )
    return total / max(1, len(rows))
