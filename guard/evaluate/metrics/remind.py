"""REMIND's neighbourhood features: level, spread and steepness of the loss around a text.

Source: REMIND (ACL 2026). Its number of neighbours, their distance and its classifier could not be
read; ours are stated as defaults, so this is in its spirit. Forgotten texts lie in flatter places
than retained ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

NEIGHBOURS = 8  # variants of a text
NEAREST = 5  # a token is replaced by one of its so many nearest in the embedding space
SHARE = 0.15  # probability that a token is replaced


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What the losses of a text and of its variants say. Losses: mean per token, in nats."""

    level: float  # mean loss over the variants
    spread: float  # standard deviation over the variants
    steepness: float  # mean rise from the text to a variant per replaced token
    centre: float  # loss of the text itself

    def as_features(self) -> NDArray[np.float64]:
        """Shape (4,): level, spread, steepness, centre."""
        return np.array([self.level, self.spread, self.steepness, self.centre])


def neighbourhood(centre: float, losses: ArrayLike, replaced: ArrayLike) -> Neighbourhood:
    """Features from the variants' losses and how many tokens each had replaced, both (variants,).

    Raises ValueError without variants or for one that is the text itself.
    """
    around = np.asarray(losses, np.float64)
    counts = np.asarray(replaced, np.float64)
    if not len(around) or around.shape != counts.shape or (counts < 1).any():
        raise ValueError("variants are needed, each with at least one token replaced")
    rise = (around - centre) / counts
    return Neighbourhood(float(around.mean()), float(around.std()), float(rise.mean()), centre)


def variants(
    tokens: ArrayLike,
    embeddings: NDArray[np.float32],
    *,
    count: int = NEIGHBOURS,
    nearest: int = NEAREST,
    share: float = SHARE,
    seed: int = 0,
) -> list[tuple[NDArray[np.int64], int]]:
    """Variants of a text with the number of tokens replaced in each, at least one.

    `tokens`: ids (length,); `embeddings`: input embeddings (vocabulary, width).
    """
    ids = np.asarray(tokens, np.int64)
    chance = np.random.default_rng(seed)
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-9)
    likeness = unit[ids] @ unit.T
    likeness[np.arange(len(ids)), ids] = -np.inf
    closest = np.argsort(-likeness, axis=1)[:, :nearest]
    made = []
    for _ in range(count):
        chosen = chance.random(len(ids)) < share
        chosen[chance.integers(len(ids))] = True
        picks = closest[np.arange(len(ids)), chance.integers(nearest, size=len(ids))]
        made.append((np.where(chosen, picks, ids), int(chosen.sum())))
    return made
