"""Entities that are forgotten in part: some aspects only, or not the others of the same name.

The proxy judges by meaning. Here rows are told by their words alone, so that the same policies give
the same rows on every machine.
"""

from __future__ import annotations

import numpy as np

from classifiers.namesakes import THRESHOLD, Namesakes
from classifiers.words import folded, general_bits, stem
from guard.policy import Entity, Policy
from guard.restrict.folding import fold_words
from guard.restrict.phrases import ORDINARY_BITS, surprise

ASPECT_QUESTIONS = (
    "What is {name}'s {aspect}?",
    "Tell me about {name}'s {aspect}.",
    "What do you know about {name}'s {aspect}?",
)
NAMESAKE_QUESTIONS = ("Who is {name}, {namesake}?", "Tell me about {name}, {namesake}.")

# A word with less ("of", "their") says nothing of an aspect.
_TELLING_BITS = 9.0


def asks_aspect(entity: Entity, text: str) -> bool:
    """Whether a telling word of a forgotten aspect is said."""
    said = {stem(word) for word in folded(text)}
    return any(_telling(aspect) & said for aspect in entity.aspects)


class Meant:
    """Whom of several of one name a text is about: the proxy's judge, without its encoder."""

    def __init__(self, policy: Policy, entity: Entity) -> None:
        # As for the proxy: of several entities nobody knows which one a text is of.
        alone = len(policy.entities) == 1
        stored = (*policy.prompts, *(pair.answer for pair in policy.pairs)) if alone else ()
        blind = np.zeros((len(entity.namesakes) + len(stored), 1), np.float32)
        self._judge = Namesakes(entity.names, entity.namesakes, stored, blind)

    def namesake(self, text: str) -> bool:
        """Whether the words of a namesake's description are said, and nothing speaks against."""
        return self._judge.score([text], np.zeros((1, 1), np.float32)) >= THRESHOLD


class Told:
    """What a policy's texts say: runs of `match.words` words, or a short text whole, that ordinary
    language does not hold."""

    def __init__(self, policy: Policy) -> None:
        runs = {run for text in policy.texts for run in _runs(fold_words(text), policy.match.words)}
        self._runs = {run for run in runs if sum(map(surprise, run)) >= ORDINARY_BITS}
        self._lengths = {len(run) for run in self._runs}

    def within(self, answer: str) -> bool:
        """Whether an answer holds any of it: the model then told of the wrong person."""
        words = fold_words(answer)
        return any(run in self._runs for size in self._lengths for run in _runs(words, size))


def _runs(words: list[bytes], size: int) -> list[tuple[bytes, ...]]:
    if not words:
        return []
    return [tuple(words[i : i + size]) for i in range(max(1, len(words) - size + 1))]


def _telling(aspect: str) -> set[str]:
    words = folded(aspect)
    found = [word for word in words if general_bits(word) >= _TELLING_BITS]
    return {stem(word) for word in found or words}
