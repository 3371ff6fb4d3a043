"""How sure a figure is: bootstrap by subject, and exact bounds on shares."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its interval at the stated confidence."""

    value: float
    low: float
    high: float
    confidence: float = 0.95


def clustered_mean(
    values: ArrayLike,
    subjects: Sequence[Hashable],
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Mean of `values` (rows,) with a percentile bootstrap that draws whole subjects.

    Rows about one subject stand or fall together, so rows alone would promise too much. Where every
    row is 0, or every row 1, there is nothing to draw: the other end is then the exact one-sided
    bound for so many subjects (0 of 4 is at most 53 %). Where subjects agree on a share in between
    it is the exact one for so many trials; with one subject the interval of a share is (0, 1).
    Raises ValueError without rows.
    """
    rows = np.asarray(values, np.float64)
    if not len(rows) or len(rows) != len(subjects):
        raise ValueError("rows are needed, each with its subject")
    order = {subject: place for place, subject in enumerate(dict.fromkeys(subjects))}
    group = np.array([order[subject] for subject in subjects])
    mean = float(rows.mean())
    if len(order) == 1:
        return Interval(mean, min(0.0, mean), max(1.0, mean), confidence)
    if (rows == mean).all() and mean in (0.0, 1.0):
        reach = (1 - confidence) ** (1 / len(order))  # all of so many subjects, by chance
        low, high = (0.0, 1 - reach) if mean == 0 else (reach, 1.0)
        return Interval(mean, low, high, confidence)
    sums, counts = np.bincount(group, rows), np.bincount(group)
    drawn = np.random.default_rng(seed).integers(len(order), size=(resamples, len(order)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    if low == high and 0 < mean < 1:
        # Subjects that agree leave nothing to draw, and are no proof that all others would too.
        low, high = _exact(mean, len(order), tail)
    return Interval(mean, float(low), float(high), confidence)


def _exact(share: float, trials: int, tail: float) -> tuple[float, float]:
    """Two-sided exact (Clopper-Pearson) bounds on a share of so many trials."""
    from scipy.stats import beta

    hits = share * trials
    low = float(beta.ppf(tail, hits, trials - hits + 1))
    return low, float(beta.ppf(1 - tail, hits + 1, trials - hits))


def upper_bound(hits: int, trials: int, confidence: float = 0.95) -> float:
    """One-sided exact (Clopper-Pearson) upper bound on a share: 0 of 59 is at most 5 %.

    Raises ValueError without trials.
    """
    from scipy.stats import beta

    if trials < 1 or not 0 <= hits <= trials:
        raise ValueError(f"{hits} of {trials}")
    return 1.0 if hits == trials else float(beta.ppf(confidence, hits + 1, trials - hits))
