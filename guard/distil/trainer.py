"""The loop around a stepper: epochs, looks at what is retained, checkpoints, an early end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from guard.distil.axes import Micro
from guard.distil.checkpoints import Checkpoints, rng_state, set_rng_state
from guard.distil.errors import BudgetSpent, DistilError
from guard.distil.job import Job
from guard.distil.looks import Look, Looks
from guard.distil.memory import peak_bytes
from guard.distil.probe import Probe
from guard.distil.stepper import Stepper


@dataclass(frozen=True, slots=True)
class Report:
    """Where a run stands after a step. Losses in nats; `probe` only where it was looked at, and
    `said`, the recall of what goes, only where `train.until_forgotten` asks for it.

    `model` is the one in training, for looks of one's own.
    """

    step: int
    total: int
    losses: dict[str, float]
    probe: float | None
    seconds_left: float
    memory_bytes: int
    model: Any = None
    said: float | None = None


OnReport = Callable[[Report], None]


class Trainer:
    """Runs a stepper over the sampler's epochs; resumable to the same weights.

    A procedure may give `steps` of its own (roll-outs): a function from epoch to steps. One whose
    start is not within the budget `waits` for the first look that is before its patience runs out.
    """

    def __init__(
        self,
        job: Job,
        stepper: Stepper,
        *,
        steps: Callable[[int], Iterator[Sequence[Micro]]] | None = None,
        waits: bool = False,
    ) -> None:
        self.job = job
        self.stepper = stepper
        self._steps = steps or self._sampled
        self._waits = waits

    def run(self) -> None:
        """Trains. Raises `DistilError`, and `BudgetSpent` when not one look was within budget."""
        job = self.job
        job.total_steps = self._total()
        self.stepper.begin()
        looks = Looks(job)
        checkpoints = Checkpoints(job.folder, job.fingerprint)
        self._resume(checkpoints, looks)
        began, first = time.monotonic(), job.step
        for micros in self._rest():
            losses = self._step(micros)
            job.step += 1
            seen = Look()
            if job.step % job.recipe.train.check_every == 0 or job.step == job.total_steps:
                seen = self._look(looks, losses, checkpoints)
            elapsed = (time.monotonic() - began) / (job.step - first)
            left = elapsed * (job.total_steps - job.step)
            job.report(self._report(losses, seen, left))
            if seen.done:
                job.outcome["ended"] = "forgotten"
                break
            patient = self._waits and looks.probe.best is None
            if looks.probe.over >= job.recipe.train.patience and not patient:
                break
        if looks.probe.over:
            self._stop(looks.probe)
        job.outcome |= {"steps": job.step, **looks.outcome()}

    def _look(self, looks: Looks, losses: dict[str, float], checkpoints: Checkpoints) -> Look:
        """Looks, writes it down, and a checkpoint where the run may go on from here."""
        job = self.job
        seen = looks.look(job)
        line = {"step": job.step, **losses, "probe": seen.retained}
        job.history.append(line if seen.said is None else {**line, "said": seen.said})
        goes_on = seen.within and not seen.done and job.step < job.total_steps
        if goes_on and job.accelerator.is_main_process:
            checkpoints.save(self._state(looks))
        return seen

    def _report(self, losses: dict[str, float], seen: Look, left: float) -> Report:
        job = self.job
        return Report(
            job.step,
            job.total_steps,
            losses,
            seen.retained,
            left,
            peak_bytes(),
            job.model,
            seen.said,
        )

    def _stop(self, probe: Probe) -> None:
        """The run ends past its budget: back to the last weights within it."""
        job = self.job
        if not probe.restore(job):
            raise BudgetSpent(
                f"after {job.step} steps the loss on retained rows is past the budget "
                f"({probe.start:.3f} to at most {probe.allowed:.3f} nats a token) and no earlier "
                "look was within it; lower train.lr or train.check_every, or raise "
                "train.retain_budget or train.patience"
            )
        job.outcome["stopped"] = "retain budget spent"
        job.outcome["kept_step"] = probe.best_step

    def _step(self, micros: Sequence[Micro]) -> dict[str, float]:
        try:
            return self.stepper.step(micros)
        except DistilError as error:
            raise DistilError(f"step {self.job.step + 1}: {error}") from error

    def _sampled(self, epoch: int) -> Iterator[Sequence[Micro]]:
        assert self.job.parts.sample is not None, "training needs a sampler"
        yield from self.job.parts.sample.epoch(self.job, epoch)

    def _total(self) -> int:
        train = self.job.recipe.train
        self.job.epoch_steps = an_epoch = max(1, sum(1 for _ in self._steps(0)))
        if train.max_steps:
            return train.max_steps
        return max(train.epochs, math.ceil(train.least_steps / an_epoch)) * an_epoch

    def _rest(self) -> Iterator[Sequence[Micro]]:
        """The steps that are not done yet."""
        number, epoch = 0, 0
        while number < self.job.total_steps:
            before = number
            for micros in self._steps(epoch):
                number += 1
                if number > self.job.step:
                    yield micros
                if number >= self.job.total_steps:
                    return
            if number == before:
                raise DistilError("the sampler gives no rows")
            epoch += 1

    def _state(self, looks: Looks) -> dict[str, Any]:
        job = self.job
        return {
            "step": job.step,
            "weights": {name: p.detach().cpu() for name, p in job.trained.items()},
            "stepper": self.stepper.state_dict(),
            "parts": {str(part.about.axis): part.state_dict() for part in job.parts},
            "looks": looks.state_dict(),
            "history": job.history,
            "generator": job.generator.get_state(),
            "rng": rng_state(),
        }

    @torch.no_grad()
    def _resume(self, checkpoints: Checkpoints, looks: Looks) -> None:
        job = self.job
        state = checkpoints.load()
        if state is None:
            return
        for name, parameter in job.trained.items():
            parameter.copy_(state["weights"][name])
        self.stepper.load_state_dict(state["stepper"])
        for part in job.parts:
            part.load_state_dict(state["parts"][str(part.about.axis)])
        looks.load_state_dict(state["looks"], job)
        job.step, job.history = state["step"], list(state["history"])
        job.generator.set_state(state["generator"])
        set_rng_state(state["rng"])
        job.outcome["resumed_at"] = job.step
