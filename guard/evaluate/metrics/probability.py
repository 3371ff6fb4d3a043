"""TOFU's probability of an answer, per token, alone or against wrong answers.

Source: Maini et al., TOFU (2024), 2.2.1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def probability(losses: ArrayLike) -> float:
    """Mean over items of exp(-mean negative log-likelihood per token); losses (items,)."""
    return float(np.exp(-np.asarray(losses, np.float64)).mean())


def normalised_probability(right: ArrayLike, wrong: ArrayLike) -> float:
    """Mean share of the right answer among all: p / (p + sum of the wrong).

    `right` (items,), `wrong` (items, answers): mean negative log-likelihoods per token. Used
    where a model was never trained on the wording (real authors, world facts).
    """
    good = np.exp(-np.asarray(right, np.float64))
    bad = np.exp(-np.asarray(wrong, np.float64)).sum(axis=1)
    return float((good / (good + bad)).mean())
