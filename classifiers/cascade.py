"""Cheapest detector first: whole names at once, then near names, then the nearest prompt and the
facts for whom no name fired, last what is said in a few words: topics, aspects, namesakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from classifiers.names import FindNames, NameSignal
from classifiers.near_names import NearNames
from classifiers.signals import FACTS, MENTION, Signal


class Nearest(Protocol):
    """Nearest stored prompts: a `NearestPrompt`, or one that several processes share."""

    async def score(
        self, texts: Sequence[str], subjects: frozenset[int], *, thorough: bool = False
    ) -> list[Signal]:
        """Signals for those of `subjects` that have prompts; `thorough`: nothing is cleared by a
        cheaper look."""

    async def described(
        self, texts: Sequence[str], subjects: frozenset[int], mentioned: frozenset[int]
    ) -> list[Signal]:
        """Of `subjects` the topics asked about; of those `mentioned` what is meant by it."""

    async def similar(self, sentences: Sequence[str], subject: int) -> list[float]:
        """For each sentence its largest cosine with the subject's texts."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Which subjects are `limited`: a name is only a mention. `bearers`: for a subject that only
    limited ones stand behind, those: its facts are a mention of them too. `topics`: whether any
    subject has some."""

    limited: frozenset[int] = frozenset()
    bearers: Mapping[int, frozenset[int]] = field(default_factory=dict)
    topics: bool = False


class Cascade:
    """The detectors of one set of subjects.

    `find_names` returns the ids of the subjects whose names occur in a text; `nearest` is None
    where no subject has anything to embed, `near_names` where no name is looked for that is nearly
    there.
    """

    def __init__(
        self,
        find_names: FindNames,
        nearest: Nearest | None,
        near_names: NearNames | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._names = NameSignal(find_names)
        self._near_names = near_names
        self._nearest = nearest

    def at_once(self, texts: Sequence[str], subjects: frozenset[int]) -> list[Signal]:
        """Names only: microseconds, no waiting."""
        return self._weighed(self._names(texts, subjects))

    def nearly(
        self, texts: Sequence[str], subjects: frozenset[int], named: Sequence[Signal]
    ) -> list[Signal]:
        """Near names of the subjects that `at_once` did not name: some ten microseconds a word."""
        left = _left(subjects, named)
        return self._weighed(self._near_names(texts, left) if self._near_names and left else [])

    async def rest(
        self,
        texts: Sequence[str],
        subjects: frozenset[int],
        named: Sequence[Signal],
        *,
        thorough: bool = False,
    ) -> list[Signal]:
        """What `at_once` did not settle: the nearest prompts of the subjects that it did not name,
        and what is asked of those it found mentioned.

        Raises what the nearest-prompt detector does; LookupError when there is none, so that a
        caller who expects a verdict fails closed. `thorough`: nothing is cleared unencoded.
        """
        left = _left(subjects, named)
        if self._nearest is None:
            raise LookupError("no nearest-prompt detector for subjects with prompts")
        if not left:
            return []
        found = await self._nearest.score(texts, left, thorough=thorough)
        mentioned = {signal.subject for signal in named if signal.name == MENTION}
        for place, signal in enumerate(found):
            if signal.name == FACTS and signal.fired and signal.subject in self._limits.bearers:
                mentioned |= self._limits.bearers[signal.subject]
                found[place] = replace(signal, fired=False)
        if self._limits.topics or mentioned:
            found += await self._nearest.described(texts, left, frozenset(mentioned) & left)
        return found

    def _weighed(self, named: list[Signal]) -> list[Signal]:
        return [
            Signal(MENTION, signal.subject, 0.0, False)
            if signal.subject in self._limits.limited
            else signal
            for signal in named
        ]


def _left(subjects: frozenset[int], named: Sequence[Signal]) -> frozenset[int]:
    """Those not named; the same set where nobody is, since it may be large."""
    fired = {signal.subject for signal in named if signal.fired}
    return subjects - fired if fired else subjects
