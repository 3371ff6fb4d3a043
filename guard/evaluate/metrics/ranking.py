"""Area under the ROC curve, for whatever ranks two groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def auc(positives: ArrayLike, negatives: ArrayLike) -> float:
    """Probability that a positive scores higher than a negative; ties count half.

    Raises ValueError when a group is empty.
    """
    high, low = np.asarray(positives, np.float64), np.sort(np.asarray(negatives, np.float64))
    if not len(high) or not len(low):
        raise ValueError("both groups need scores")
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(below.mean() / 2 / len(low))
