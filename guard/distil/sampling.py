"""What samplers share: seeded shuffles that a resumed run repeats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import torch

from guard.distil.job import Job
from guard.distil.rows import Row

T = TypeVar("T")

# Apart from one another by more than any run has epochs.
_SEED_STRIDE = 1_000_003


def epoch_generator(job: Job, number: int) -> torch.Generator:
    """A generator that depends on the run's seed and the epoch alone."""
    return torch.Generator().manual_seed(job.seed * _SEED_STRIDE + number)


def shuffled(rows: tuple[T, ...], draw: torch.Generator) -> tuple[T, ...]:
    """The rows in random order."""
    return tuple(rows[i] for i in torch.randperm(len(rows), generator=draw).tolist())


def chunks(items: tuple[T, ...], size: int) -> Iterator[tuple[T, ...]]:
    """Consecutive pieces of `size`; the last may be shorter."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def retained_rows(job: Job) -> tuple[Row, ...]:
    """The rows of the retain side that the recipe's retain objective asks for."""
    retain = job.parts.retain
    return () if retain is None else job.data.keep(general=retain.on_general)
