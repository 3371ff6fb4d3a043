"""One optimiser step: from rows to moved weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from guard.distil.axes import Losses, Micro
from guard.distil.errors import DistilError
from guard.distil.job import Job
from guard.distil.losses import weighted_mean
from guard.distil.optimisers import make_optimiser, make_schedule


class Stepper(ABC):
    """Owns the backward passes and the optimiser. `begin` comes once `job.total_steps` is known."""

    def __init__(self, job: Job) -> None:
        self.job = job

    @abstractmethod
    def begin(self) -> None:
        """Build the optimiser."""

    @abstractmethod
    def step(self, micros: Sequence[Micro]) -> dict[str, float]:
        """Move the weights once; the losses by name (`forget`, `retain`, penalties).

        Raises `DistilError` on a loss that is not finite, before the weights are touched.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep beside the weights."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse, called after `begin`."""


class AxisStepper(Stepper):
    """The axes, one after another: losses, combiner, hooks, optimiser, filters, hooks."""

    def begin(self) -> None:
        """The optimiser of `train`, over the parameters that move."""
        train = self.job.recipe.train
        self._parameters = self.job.trained
        self.optimiser = make_optimiser(self._parameters.values(), train)
        self.job.optimiser = self.optimiser
        self.schedule = make_schedule(self.optimiser, train, self.job.total_steps)
        self._filters = [part for part in self.job.parts if part.filters_delta]

    def step(self, micros: Sequence[Micro]) -> dict[str, float]:
        """Accumulate over the micro-batches, then move."""
        job, combine = self.job, self.job.parts.combine
        assert combine is not None, "the stepper of the axes needs a combiner"
        measured: dict[str, float] = {}
        job.wrapped.train()
        for number, micro in enumerate(micros):
            losses = self.losses(micro, penalised=number == 0)
            _measure(losses, measured, 1 / len(micros))
            if losses.penalties:  # once a step, whatever the accumulation
                factor = len(micros)
                losses.penalties = {k: v * factor for k, v in losses.penalties.items()}
            combine.backward(job, losses, 1 / len(micros))
        for part in job.parts:
            part.after_backward(job)
        self.move()
        for part in job.parts:
            part.after_step(job, measured)
        return measured

    def losses(self, micro: Micro, *, penalised: bool = True) -> Losses:
        """The scalars of one micro-batch, with their graphs."""
        job, parts = self.job, self.job.parts
        assert parts.forget is not None, "the stepper of the axes needs a forget objective"
        micro = micro.share(job.accelerator.process_index, job.accelerator.num_processes)
        batch = job.batch(micro.forget, micro.weights)
        forget = weighted_mean(parts.forget.terms(job, batch), batch.weights)
        retain = None
        if parts.retain is not None and micro.retain:
            retain = parts.retain.terms(job, job.batch(micro.retain)).mean()
        penalties: dict[str, Tensor] = {}
        if penalised:
            for part in parts:
                penalties |= part.penalties(job)
        return Losses(forget, retain, penalties)

    def move(self) -> None:
        """Clip, step, filter what the step did, and clear the gradients."""
        train = self.job.recipe.train
        if train.clip:
            nn.utils.clip_grad_norm_(self._parameters.values(), train.clip)
        before = self._snapshot() if self._filters else {}
        self.optimiser.step()
        self.schedule.step()
        if before:
            self._filter(before)
        self.optimiser.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """Optimiser and schedule."""
        return {
            "optimiser": self.optimiser.state_dict(),
            "schedule": {"last_epoch": self.schedule.last_epoch},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse."""
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.last_epoch = state["schedule"]["last_epoch"]
        for group, factor in zip(
            self.optimiser.param_groups, self.schedule.lr_lambdas, strict=True
        ):
            group["lr"] = group["initial_lr"] * factor(self.schedule.last_epoch)

    def _snapshot(self) -> dict[str, Tensor]:
        return {name: p.detach().clone() for name, p in self._parameters.items()}

    @torch.no_grad()
    def _filter(self, before: dict[str, Tensor]) -> None:
        delta = {name: p - before[name] for name, p in self._parameters.items()}
        for part in self._filters:
            part.filter_delta(self.job, delta)
        for name, parameter in self._parameters.items():
            parameter.copy_(before[name] + delta[name])


def _measure(losses: Losses, measured: dict[str, float], share: float) -> None:
    """Adds a micro-batch's losses to the step's means. Raises `DistilError` on NaN or infinity."""
    named = {"forget": losses.forget}
    if losses.retain is not None:
        named["retain"] = losses.retain
    for name, value in named.items():
        measured[name] = measured.get(name, 0.0) + float(value.detach()) * share
    for name, value in losses.penalties.items():
        measured[name] = float(value.detach())
    for name, number in measured.items():
        if number != number or number in (float("inf"), float("-inf")):
            raise DistilError(
                f"the {name} loss is not a finite number; lower train.lr, set train.clip, or use "
                "train.precision: fp32"
            )
