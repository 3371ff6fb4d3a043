"""MELU's modules: one forgotten subject at a time, amid its own neighbours."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from guard.distil.axes import Micro, Sampler
from guard.distil.job import Job
from guard.distil.part import Axis
from guard.distil.registry import register
from guard.distil.rows import Row
from guard.distil.sample.cyclic import cycled
from guard.distil.sampling import chunks, epoch_generator, retained_rows, shuffled

_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True, slots=True)
class MELUConfig:
    """Rows of a module beside its forget rows: `direct` neighbours (the retain rows that share
    most of their words with the subject's), `indirect` ones (other retain rows, drawn anew every
    epoch), and `general` rows.
    """

    direct: Annotated[int, Field(ge=0)] = 8
    indirect: Annotated[int, Field(ge=0)] = 4
    general: Annotated[int, Field(ge=0)] = 4


@register(
    Axis.SAMPLE,
    "melu",
    source="MELU, arXiv 2509.05316, modular entity-level batches",
    faithful="in its spirit: the loop and the choice of neighbours could not be read; here "
    "neighbours are told by shared words, and each step of a module has rows of both sides",
)
class MELU(Sampler[MELUConfig]):
    """For each subject all its forget rows beside its neighbour module, then the next subject."""

    Config = MELUConfig

    def epoch(self, job: Job, number: int) -> Iterator[Sequence[Micro]]:
        """Subjects in random order; no step mixes two of them."""
        draw = epoch_generator(job, number)
        keep = retained_rows(job)
        by_subject: dict[str, list[Row]] = defaultdict(list)
        for row in job.data.forget:
            by_subject[row.entity or row.policy].append(row)
        for subject in shuffled(tuple(by_subject), draw):
            rows = shuffled(tuple(by_subject[subject]), draw)
            direct, others = neighbours(rows, keep, self.config.direct)
            beside = [*direct, *shuffled(others, draw)[: self.config.indirect]]
            if keep:
                beside += shuffled(job.data.general, draw)[: self.config.general]
            yield from self._module(job, rows, shuffled(tuple(beside), draw))

    def _module(
        self, job: Job, rows: tuple[Row, ...], beside: tuple[Row, ...]
    ) -> Iterator[tuple[Micro, ...]]:
        """Steps until both the subject's rows and its neighbours are through."""
        size = job.recipe.train.batch_size
        length = max(len(rows), len(beside))
        goes = tuple(chunks(cycled(rows, length), size))
        stays = tuple(chunks(cycled(beside, length), size)) if beside else ((),) * len(goes)
        micros = tuple(Micro(f, r) for f, r in zip(goes, stays, strict=True))
        yield from chunks(micros, job.recipe.train.accumulation)


def neighbours(
    rows: Sequence[Row], keep: Sequence[Row], count: int
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The `count` kept rows nearest to these by the Jaccard index of their words, and the rest."""
    subject = {word for row in rows for word in _words(row)}
    nearness = [_jaccard(subject, _words(row)) for row in keep]
    order = sorted(range(len(keep)), key=lambda i: (-nearness[i], i))
    return tuple(keep[i] for i in order[:count]), tuple(keep[i] for i in order[count:])


def _words(row: Row) -> set[str]:
    return set(_WORD.findall(f"{row.prompt or ''} {row.answer}".casefold()))


def _jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, len(one | other))
