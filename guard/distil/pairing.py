"""What samplers share beside shuffles: forget rows with weights, retain rows beside them."""

from __future__ import annotations

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
) -> Iterator[tuple[Micro, ...]]:
    """Weighted forget rows in random order, a retain row beside each, drawn with replacement."""
    order = torch.randperm(len(rows), generator=draw).tolist()
    micros = []
    for piece in chunks(tuple(rows[i] for i in order), job.recipe.train.batch_size):
        picks = torch.randint(len(keep), (len(piece),), generator=draw).tolist() if keep else []
        micros.append(
            Micro(
                tuple(row for row, _ in piece),
                tuple(keep[i] for i in picks),
                tuple(weight for _, weight in piece),
            )
        )
    yield from chunks(tuple(micros), job.recipe.train.accumulation)
