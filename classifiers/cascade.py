"""Cheapest detector first: whole names at once, then the nearest prompt for whom no name fired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from classifiers.names import FindNames, NameSignal
from classifiers.signals import Signal


class Nearest(Protocol):
    """Nearest stored prompts: a `NearestPrompt`, or one that several processes share."""

    async def score(self, texts: Sequence[str], subjects: frozenset[int]) -> list[Signal]:
        """Signals for those of `subjects` that have prompts."""

    async def similar(self, sentences: Sequence[str], subject: int) -> list[float]:
        """For each sentence its largest cosine with the subject's texts."""


class Cascade:
    """The detectors of one set of subjects.

    `find_names` returns the ids of the subjects whose names occur in a text; `nearest` is None
    where no subject has prompts.
    """

    def __init__(self, find_names: FindNames, nearest: Nearest | None) -> None:
        self._names = NameSignal(find_names)
        self._nearest = nearest

    def at_once(self, texts: Sequence[str], subjects: frozenset[int]) -> list[Signal]:
        """Names only: microseconds, no waiting."""
        return self._names(texts, subjects)

    async def rest(
        self, texts: Sequence[str], subjects: frozenset[int], named: Sequence[Signal]
    ) -> list[Signal]:
        """What `at_once` did not settle: the nearest prompts of the subjects that it did not name.

        Raises what the nearest-prompt detector does; LookupError when there is none, so that a
        caller who expects a verdict fails closed.
        """
        left = subjects - {signal.subject for signal in named if signal.fired}
        if self._nearest is None:
            raise LookupError("no nearest-prompt detector for subjects with prompts")
        return await self._nearest.score(texts, left) if left else []
