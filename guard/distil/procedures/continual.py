"""Continual: requests to forget come one after another, and each must leave the earlier ones be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch

from guard.distil.axes import Procedure
from guard.distil.checkpoints import Checkpoints, rng_state, set_rng_state
from guard.distil.errors import BudgetSpent, DistilError
from guard.distil.job import Job
from guard.distil.part import Axis
from guard.distil.probe import mean_loss, probe_rows
from guard.distil.registry import register
from guard.distil.stepper import AxisStepper
from guard.distil.trainer import Trainer

_TOLD = ("stopped", "ended", "said", "guessed")  # of a request, where its run says so


@dataclass(frozen=True, slots=True)
class ContinualConfig:
    """`order`: policies by name, each a request; all, sorted by name, when empty."""

    order: tuple[str, ...] = field(default=())


@register(
    Axis.PROCEDURE,
    "continual",
    source="Xu et al. 2026 (FIT) for sequences of requests; De Lange et al. 2023, arXiv "
    "2205.13452, for the stability gap",
    faithful="the protocol, not FIT's own method",
)
class Continual(Procedure[ContinualConfig]):
    """One request after another on the same weights, with what each costs and undoes.

    The card's `requests` say, for each, the highest loss on what is retained at any step (the
    stability gap), the loss at its end, and the loss on the forget rows of every request so far.
    """

    Config = ContinualConfig

    def run(self, job: Job) -> None:
        """Trains request after request; the budget is of the start model's loss throughout."""
        order = self._order(job)
        start = mean_loss(job, probe_rows(job))
        done = Checkpoints(job.folder, job.fingerprint)
        records = _take_up(job, done)
        for number, name in enumerate(order[len(records) :], start=len(records)):
            part = _request(job, name, number, start)
            # The parts look at this request's rows, from the weights as they are.
            for each in part.parts:
                if each is not part.parts.parameters and each is not self:
                    each.prepare(part)
            before = _weights(job)
            try:
                Trainer(part, AxisStepper(part)).run()
            except BudgetSpent:
                _set_weights(job, before)
                job.outcome["stopped"] = f"retain budget spent at request {number + 1}"
                break
            records.append(_record(job, part, name, order[: number + 1]))
            job.history += [{"request": name, **line} for line in part.history]
            job.step += part.step
            if job.accelerator.is_main_process:
                done.save({"records": records, **_state(job)})
        if not records:
            raise BudgetSpent("the first request already costs more than the retain budget")
        job.outcome |= {"requests": records, "probe_start": start, "steps": job.step}

    def _order(self, job: Job) -> tuple[str, ...]:
        """The requests. Raises `DistilError` for a name that no forget row has."""
        known = tuple(sorted({row.policy for row in job.data.forget}))
        for name in self.config.order:
            if name not in known:
                raise DistilError(f"procedure.order: {name} is not among {', '.join(known)}")
        return self.config.order or known


def _request(job: Job, name: str, number: int, start: float) -> Job:
    """The job of one request: its forget rows, a look at every step, checkpoints of its own."""
    rows = tuple(row for row in job.data.forget if row.policy == name)
    train = replace(job.recipe.train, check_every=1)
    return replace(
        job,
        data=replace(job.data, forget=rows),
        recipe=replace(job.recipe, train=train),
        step=0,
        folder=job.folder / f"request-{number}",
        history=[],
        outcome={},
        probe_start=start,
    )


def _record(job: Job, part: Job, name: str, so_far: tuple[str, ...]) -> dict[str, Any]:
    looks = [line["probe"] for line in part.history if line["probe"] is not None]
    forgotten = {
        earlier: mean_loss(job, tuple(row for row in job.data.forget if row.policy == earlier))
        for earlier in so_far
    }
    return {
        "request": name,
        "steps": part.step,
        "worst_retained": max(looks, default=None),
        "retained": mean_loss(job, probe_rows(job)),
        "forgotten": forgotten,
        **{key: part.outcome[key] for key in _TOLD if key in part.outcome},
    }


def _take_up(job: Job, done: Checkpoints) -> list[dict[str, Any]]:
    """Back to the end of the last finished request."""
    state = done.load()
    if state is None:
        return []
    _set_weights(job, state["weights"])
    for each in job.parts:
        each.load_state_dict(state["parts"][str(each.about.axis)])
    job.generator.set_state(state["generator"])
    set_rng_state(state["rng"])
    job.history = list(state["history"])
    records: list[dict[str, Any]] = state["records"]
    job.step = sum(record["steps"] for record in records)
    return records


def _state(job: Job) -> dict[str, Any]:
    """What the next request begins with: the parts go on with what they remember, and so does all
    that is drawn."""
    return {
        "weights": _weights(job),
        "parts": {str(each.about.axis): each.state_dict() for each in job.parts},
        "generator": job.generator.get_state(),
        "rng": rng_state(),
        "history": job.history,
    }


def _weights(job: Job) -> dict[str, torch.Tensor]:
    return {name: p.detach().cpu().clone() for name, p in job.trained.items()}


@torch.no_grad()
def _set_weights(job: Job, weights: dict[str, torch.Tensor]) -> None:
    for name, parameter in job.trained.items():
        parameter.copy_(weights[name])
