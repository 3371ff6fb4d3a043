"""Whom a text names: whole words, folded as the proxy folds them before it looks for a name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from guard.policy import Policy
from guard.restrict.folding import fold_words

Place = tuple[str, int]
"""A policy's name, and the place of one of its entities."""


class Names:
    """The names and aliases of every entity of some policies."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._begins: defaultdict[bytes, list[tuple[list[bytes], Place]]] = defaultdict(list)
        for policy in policies:
            for place, entity in enumerate(policy.entities):
                for name in entity.names:
                    if words := fold_words(name):
                        self._begins[words[0]].append((words, (policy.name, place)))

    def within(self, text: str) -> set[Place]:
        """The entities that are named."""
        said = fold_words(text)
        return {
            place
            for i, word in enumerate(said)
            for words, place in self._begins.get(word, ())
            if said[i : i + len(words)] == words
        }
