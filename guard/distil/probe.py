"""Looks at what is retained while training goes on, and says when it has cost enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from guard.distil.job import Job
from guard.distil.losses import answer_nll
from guard.distil.rows import Row
from guard.distil.sampling import chunks


@torch.no_grad()
def mean_loss(job: Job, rows: tuple[Row, ...]) -> float:
    """Negative log-likelihood an answer token, in nats, of the model as it is now."""
    model = job.model if job.judged is None else job.judged
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    for piece in chunks(rows, job.recipe.train.batch_size):
        batch = job.batch(piece)
        nll, tokens = answer_nll(model(**batch.inputs).logits, batch.labels)
        total, count = total + float(nll.sum()), count + int(tokens.sum())
    model.train(was_training)
    return total / max(1, count)


def probe_rows(job: Job) -> tuple[Row, ...]:
    """The fixed sample of kept rows that is looked at: those held out, else those trained on.

    What a method is trained to keep stays by itself; what it costs shows on the other rows.
    """
    return sample(job, job.data.held or job.data.keep())


def side_losses(job: Job) -> dict[str, float]:
    """The loss on what is trained on, of either side that has rows; at most `train.probe_rows`."""
    sides = {"forget": job.data.forget, "retain": job.data.keep()}
    return {side: mean_loss(job, sample(job, rows)) for side, rows in sides.items() if rows}


def sample(job: Job, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """At most `train.probe_rows` of them, by the run's seed."""
    draw = torch.Generator().manual_seed(job.seed)
    picks = torch.randperm(len(rows), generator=draw)[: job.recipe.train.probe_rows].tolist()
    return tuple(rows[i] for i in picks)


@dataclass(slots=True)
class Probe:
    """A fixed sample of retain rows and the loss it may reach.

    `best` are the trained weights of the last look within the budget, on the CPU, and `kept`
    what it saw.
    """

    rows: tuple[Row, ...]
    budget: float
    floor: float
    start: float = 0.0
    best_step: int = 0
    over: int = 0  # looks in a row past the budget
    best: dict[str, Tensor] | None = None
    kept: float | None = None

    @classmethod
    def of(cls, job: Job, budget: float) -> Probe:
        """Measures the start. Without retain and general rows nothing is looked at."""
        probe = cls(probe_rows(job), budget, job.recipe.train.budget_floor)
        known = job.probe_start
        probe.start = mean_loss(job, probe.rows) if known is None else known
        return probe

    @property
    def allowed(self) -> float:
        """The highest loss within the budget: a share of the start's, or of `floor` nats."""
        return self.start + self.budget * max(self.start, self.floor)

    def look(self, job: Job) -> tuple[float | None, bool]:
        """The loss now (None without rows) and whether it is within the budget."""
        loss = mean_loss(job, self.rows) if self.rows else None
        within = loss is None or loss <= self.allowed
        self.over = 0 if within else self.over + 1
        if within:
            self.best_step, self.kept = job.step, loss
            self.best = {n: p.detach().cpu().clone() for n, p in job.trained.items()}
        return loss, within

    @torch.no_grad()
    def restore(self, job: Job) -> bool:
        """Back to the last weights within the budget; False when there are none."""
        if self.best is None:
            return False
        for name, parameter in job.trained.items():
            parameter.copy_(self.best[name])
        return True

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints, which are written after a look within the budget: its weights are
        the checkpoint's own."""
        return {"start": self.start, "best_step": self.best_step, "kept": self.kept}

    def load_state_dict(self, state: dict[str, Any], job: Job) -> None:
        """The inverse; the job holds the checkpoint's weights already."""
        self.start, self.best_step, self.kept = state["start"], state["best_step"], state["kept"]
        self.best = {n: p.detach().cpu().clone() for n, p in job.trained.items()}
