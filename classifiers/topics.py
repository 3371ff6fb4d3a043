"""Is something asked about a topic that a policy states in a few words?

The topic is compared as it is said and as it is asked about. Weighing in how many of the topic's
words a question has was tried and found nothing more on the invented topics of
classifiers/training/topics.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classifiers.encoder import Vectors
from classifiers.scale import SAME, Scale

THRESHOLD = 0.6  # chosen on one half of those topics; what it finds on the other is in the docs


def wordings(topic: str) -> tuple[str, ...]:
    """What is embedded of a topic."""
    return (topic, f"Tell me about {topic}.", f"What is known about {topic}?")


class Topics:
    """Many topics with their owners; `vectors` are those of all their wordings, in order."""

    def __init__(self, owners: Sequence[int], vectors: Vectors, scale: Scale = SAME) -> None:
        self._scale = scale
        self._owners = np.repeat(np.array(owners, dtype=np.int64), len(wordings("")))
        self._vectors = vectors

    def scores(self, asked: Vectors, allowed: frozenset[int]) -> dict[int, float]:
        """By owner the largest cosine of a sentence with one of its topics; from THRESHOLD on it
        is asked about. `asked`: the vectors of sentences."""
        mine = np.flatnonzero(np.isin(self._owners, list(allowed)))
        if not len(mine) or not len(asked):
            return {}
        best = self._scale.all_to_shared((asked @ self._vectors[mine].T).max(axis=0))
        found: dict[int, float] = {}
        for owner, score in zip(self._owners[mine].tolist(), best.tolist(), strict=True):
            found[owner] = max(score, found.get(owner, -1.0))
        return found
