"""Whole names: the cheapest detector, and the one with the fewest false alarms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

from classifiers.signals import NAME, Signal

FindNames = Callable[[str], Iterable[int]]
"""Ids of the subjects whose name occurs in a text. The caller brings the matcher, so that names
are found in the same disguises wherever the caller looks for them."""


class NameSignal:
    """One fired signal for each subject whose name occurs in any of the texts."""

    def __init__(self, find: FindNames) -> None:
        self._find = find

    def __call__(self, texts: Iterable[str], subjects: Set[int]) -> list[Signal]:
        """Signals in order of subject id, only for ids in `subjects`."""
        found: set[int] = set()
        for text in texts:
            found.update(self._find(text))
        return [Signal(NAME, subject, 1.0, True) for subject in sorted(found & subjects)]
