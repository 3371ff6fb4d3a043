"""FIT's forget degree and retain utility. Source: FIT and its benchmark PCH, section on metrics.

Each is the geometric mean of probability, ROUGE-L and accuracy in percent, scored by its distance
from a line between the model at the start and one that never saw what was forgotten so far.
"""

from __future__ import annotations


def joint(probability: float, rouge: float, accuracy: float) -> float:
    """100 times the geometric mean of the three, each 0 to 1."""
    return float(100 * (probability * rouge * accuracy) ** (1 / 3))


def expected(start: float, retain: float, done: int, total: int) -> float:
    """Where the line is after `done` of `total` requests."""
    if not 0 <= done <= total or total < 1:
        raise ValueError(f"{done} of {total} requests")
    return start + (retain - start) * done / total


def closeness(model: float, reference: float) -> float:
    """max(0, 1 - |model/reference - 1|): 1 on the line. Raises ValueError for a reference of 0."""
    if reference == 0:
        raise ValueError("a reference of 0 has no ratio")
    return max(0.0, 1 - abs(model / reference - 1))
