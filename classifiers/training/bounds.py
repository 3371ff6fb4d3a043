"""How sure a counted share is."""

from __future__ import annotations


def upper_bound(hits: int, rows: int) -> float:
    """The share above which `hits` of `rows` or fewer would be met one time in twenty (Clopper and
    Pearson, one-sided), by bisection of the binomial distribution."""
    if hits >= rows:
        return 1.0
    low, high = hits / rows, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(hits, rows, middle) > 0.05:
            low = middle
        else:
            high = middle
    return high


def _at_most(hits: int, rows: int, share: float) -> float:
    term = (1.0 - share) ** rows
    total = term
    for count in range(1, hits + 1):
        term *= (rows - count + 1) / count * share / (1.0 - share)
        total += term
    return total
