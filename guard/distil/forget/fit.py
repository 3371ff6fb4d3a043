"""FIT's objective: what is done to a row depends on how much the model's answer hangs on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from guard.distil.attention import embedding_gradient
from guard.distil.axes import Objective
from guard.distil.encoding import IGNORED, Batch
from guard.distil.forget.npo import npo
from guard.distil.job import Job
from guard.distil.losses import answer_kl, answer_nll, mean_nll
from guard.distil.part import Axis, Claim, Need
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class FITConfig:
    """`high`, `low`: a row's importance from which on it gets NPO with KL, and NPO alone; below
    `low` it gets random labels. `beta`: NPO's."""

    high: Annotated[float, Field(ge=0)] = 12.0
    low: Annotated[float, Field(ge=0)] = 6.0
    beta: Annotated[float, Field(gt=0)] = 0.1


@register(
    Axis.FORGET,
    "fit",
    source="Xu et al. 2026 (FIT, public code), objectives by importance",
    faithful="importance is a row's, not a request's of many pieces; the norm of the gradient of "
    "its mean answer loss at the input embeddings of the start model",
    claim=Claim.BEHAVIOUR,
    needs=[Need.REFERENCE, Need.RETAIN],
)
class FIT(Objective[FITConfig]):
    """NPO and KL, NPO alone, or random labels: the more important the row, the more is kept."""

    Config = FITConfig

    def prepare(self, job: Job) -> None:
        """Counts what each of the forget rows gets, for the model card."""
        # `terms` measures a batch anew, so that a resumed run needs no state.
        got = {"npo and kl": 0, "npo": 0, "random labels": 0}
        for row in job.data.forget:
            size = float(importance(job, job.batch([row])))
            high, low = self.config.high, self.config.low
            got["npo and kl" if size >= high else "npo" if size >= low else "random labels"] += 1
        job.outcome["objectives"] = got

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """The loss of each row, [rows]; with random labels a cross-entropy."""
        sizes = importance(job, batch)
        nll, _ = answer_nll(job.logits(batch), batch.labels)
        reference, _ = answer_nll(job.reference_logits(batch), batch.labels)
        preferred = npo(nll, reference, self.config.beta)
        high = sizes >= self.config.high
        if high.any():
            preferred = preferred + high * self._kept(job, len(batch))
        low = sizes < self.config.low
        if low.any():
            preferred = torch.where(low, self._random(job, batch), preferred)
        return preferred

    def _kept(self, job: Job, count: int) -> Tensor:
        """The mean KL of as many kept rows, drawn with replacement."""
        rows = job.data.keep()
        picks = torch.randint(len(rows), (count,), generator=job.generator).tolist()
        kept = job.batch([rows[i] for i in picks])
        return answer_kl(job.logits(kept), job.reference_logits(kept), kept.labels).mean()

    def _random(self, job: Job, batch: Batch) -> Tensor:
        """Cross-entropy of random tokens in place of the answers', [rows]."""
        logits = job.logits(batch)
        drawn = torch.randint(logits.shape[-1], batch.labels.shape, generator=job.generator)
        drawn = drawn.to(batch.labels.device)
        labels = torch.where(batch.labels == IGNORED, batch.labels, drawn)
        return mean_nll(logits, labels)


def importance(job: Job, batch: Batch) -> Tensor:
    """Norm of the mean answer loss's gradient at the start model's input embeddings, [rows]."""
    gradient = embedding_gradient(job, batch, lambda logits: mean_nll(logits, batch.labels))
    return gradient.flatten(1).norm(dim=-1)
