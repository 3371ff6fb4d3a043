"""TOFU's forget quality: can the model be told from one that never saw the forget set?

Source: Maini et al., TOFU (2024), 2.2.2: the p-value of a two-sample Kolmogorov-Smirnov test
between the truth ratios of both models on the same forgotten items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class ForgetQuality:
    """`p` falls to 1e-239 in practice, so compare `log10_p` or `statistic` (D, 0 to 1).

    With few items p has little power: 40 items of forget01 seldom tell two models apart.
    """

    p: float
    statistic: float
    items: int

    @property
    def log10_p(self) -> float:
        """-inf where p underflows."""
        return math.log10(self.p) if self.p > 0 else -math.inf


def forget_quality(model: ArrayLike, retain: ArrayLike) -> ForgetQuality:
    """Compares truth ratios of the model with those of the retain model, both (items,).

    R and 1/R give the same. The test is exact up to 10,000 items. Raises ValueError without items
    and for different numbers of items, which cannot be the same set.
    """
    from scipy.stats import ks_2samp

    ours, theirs = np.asarray(model, np.float64), np.asarray(retain, np.float64)
    if ours.shape != theirs.shape or ours.ndim != 1 or not len(ours):
        raise ValueError(f"truth ratios of the same items are needed: {ours.shape}, {theirs.shape}")
    found = ks_2samp(ours, theirs)
    return ForgetQuality(float(found.pvalue), float(found.statistic), len(ours))
