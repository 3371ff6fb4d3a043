"""Every row of the larger side once, the smaller side again and again beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from guard.distil.axes import Micro, Sampler
from guard.distil.job import Job
from guard.distil.part import Axis, NoConfig
from guard.distil.registry import register
from guard.distil.sampling import chunks, epoch_generator, retained_rows, shuffled

T = TypeVar("T")


@register(
    Axis.SAMPLE,
    "cyclic",
    source="MELU, arXiv 2509.05316, the cyclic baseline",
    faithful="in its spirit: the paper's loop could not be read; this is the usual cycle over the "
    "shorter of two loaders",
)
class Cyclic(Sampler[NoConfig]):
    """No kept row is left out of an epoch, which may be many times as long as with 1:1."""

    def epoch(self, job: Job, number: int) -> Iterator[Sequence[Micro]]:
        """As many rows a side as the larger side has."""
        draw = epoch_generator(job, number)
        forget = shuffled(job.data.forget, draw)
        keep = shuffled(retained_rows(job), draw)
        length = max(len(forget), len(keep))
        size = job.recipe.train.batch_size
        goes = chunks(cycled(forget, length), size)
        stays = chunks(cycled(keep, length), size) if keep else iter(())
        micros = tuple(Micro(rows, next(stays, ())) for rows in goes)
        yield from chunks(micros, job.recipe.train.accumulation)


def cycled(rows: tuple[T, ...], length: int) -> tuple[T, ...]:
    """The rows over and over, `length` of them."""
    return tuple(rows[i % len(rows)] for i in range(length))
