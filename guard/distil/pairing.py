"""What samplers share beside shuffles: forget rows with weights, retain rows beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from guard.distil.axes import Micro
from guard.distil.job import Job
from guard.distil.rows import Row
from guard.distil.sampling import chunks


def paired(
    job: Job,
    draw: torch.Generator,
    rows: Sequence[tuple[Row, float]],
    keep: Sequence[Row],
    share: float = 1.0,
) -> Iterator[tuple[Micro, ...]]:
    """Weighted forget rows in random order, `share` as many retain rows evenly beside them, drawn
    with replacement."""
    order = torch.randperm(len(rows), generator=draw).tolist()
    micros = []
    done = 0
    for piece in chunks(tuple(rows[i] for i in order), job.recipe.train.batch_size):
        beside = _as_many(share, done + len(piece)) - _as_many(share, done)
        done += len(piece)
        picks = torch.randint(len(keep), (beside,), generator=draw).tolist() if keep else []
        micros.append(
            Micro(
                tuple(row for row, _ in piece),
                tuple(keep[i] for i in picks),
                tuple(weight for _, weight in piece),
            )
        )
    yield from chunks(tuple(micros), job.recipe.train.accumulation)


def _as_many(share: float, rows: int) -> int:
    return math.ceil(round(share * rows, 9))  # 0.28 x 25 is a little more than 7
