"""Extraction strength and exact memorisation, from greedy predictions under teacher forcing.

Source: Carlini et al., Extracting training data (2021); Tirumala et al., Memorization without
overfitting (2022); as in open-unlearning, except that a text of which nothing is extracted scores 0
(there it scores 1/n).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def exact_memorisation(predicted: ArrayLike, labels: ArrayLike) -> float:
    """Share of answer tokens that the greedy prediction hits; both (tokens,), without the end."""
    hits = _hits(predicted, labels)
    return float(hits.mean())


def extraction_strength(predicted: ArrayLike, labels: ArrayLike) -> float:
    """1 - k/n, where k is the shortest prefix from which on every prediction is right."""
    hits = _hits(predicted, labels)
    wrong = np.flatnonzero(~hits)
    needed = 0 if not len(wrong) else int(wrong[-1]) + 1
    return 1 - needed / len(hits)


def _hits(predicted: ArrayLike, labels: ArrayLike) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    said, wanted = np.asarray(predicted), np.asarray(labels)
    if said.shape != wanted.shape or said.ndim != 1 or not len(said):
        raise ValueError(
            f"predictions for the same tokens are needed: {said.shape}, {wanted.shape}"
        )
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = said == wanted
    return found
