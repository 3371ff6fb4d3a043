"""FIT's filter: forget rows that say once more what was said already are left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

from guard.distil.axes import Micro, Sampler
from guard.distil.blocks import batches
from guard.distil.job import Job
from guard.distil.losses import mean_nll
from guard.distil.pairing import paired
from guard.distil.part import Axis
from guard.distil.registry import register
from guard.distil.sampling import epoch_generator, retained_rows


@dataclass(frozen=True, slots=True)
class FITFilterConfig:
    """A row is left out when the cosine to a row before it is at least `near`, and leaving it out
    changes the mean loss of the rows by at most `change` nats.
    """

    near: Annotated[float, Field(gt=0, le=1)] = 0.9
    change: Annotated[float, Field(ge=0)] = 0.2


def unlike(states: Tensor, losses: Tensor, near: float, change: float) -> list[int]:
    """The places of the rows that stay. `states` [rows, size], `losses` [rows] in nats a token.

    Rows are looked at in order, against those that stayed before.
    """
    units = normalize(states, dim=-1)
    kept: list[int] = []
    left = list(range(len(units)))
    for i in range(len(units)):
        again = bool(kept) and float((units[kept] @ units[i]).max()) >= near
        rest = [j for j in left if j != i]
        moved = abs(float(losses[rest].mean() - losses[left].mean())) if rest else float("inf")
        if again and moved <= change:
            left = rest
        else:
            kept.append(i)
    return kept


@register(
    Axis.SAMPLE,
    "fit_filter",
    source="FIT (public code), filter of redundant requests",
    faithful="by whole rows instead of pieces of eight characters, and by the model's own mean "
    "embeddings instead of SimCSE's",
)
class FITFilter(Sampler[FITFilterConfig]):
    """1:1 over the forget rows that are left. The first of similar rows always stays."""

    Config = FITFilterConfig

    @torch.no_grad()
    def prepare(self, job: Job) -> None:
        """Last hidden states of the start model, mean over real tokens."""
        states, losses = [], []
        model = job.model.eval()
        for batch in batches(job, job.data.forget, len(job.data.forget)):
            out = model(**batch.inputs, output_hidden_states=True)
            mask = batch.attention_mask.unsqueeze(-1)
            states.append((out.hidden_states[-1].float() * mask).sum(1) / mask.sum(1))
            losses.append(mean_nll(out.logits, batch.labels))
        found = unlike(torch.cat(states), torch.cat(losses), self.config.near, self.config.change)
        self._kept = tuple(job.data.forget[i] for i in found)
        job.outcome["rows_left_out"] = len(job.data.forget) - len(self._kept)

    def epoch(self, job: Job, number: int) -> Iterator[Sequence[Micro]]:
        """Every row that stayed, once."""
        rows = tuple((row, 1.0) for row in self._kept)
        yield from paired(job, epoch_generator(job, number), rows, retained_rows(job))
