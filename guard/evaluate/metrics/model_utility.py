"""TOFU's model utility: one figure for what a model must keep.

Source: Maini et al., TOFU (2024), 2.2.1: harmonic mean of probability, ROUGE-L recall and truth
ratio on retained rows, real authors and world facts.
"""

from __future__ import annotations

from collections.abc import Iterable


def model_utility(parts: Iterable[float]) -> float:
    """Harmonic mean; 0 as soon as one part is. Raises ValueError without parts or below 0."""
    values = list(parts)
    if not values or min(values) < 0:
        raise ValueError("parts of a utility are needed, none below 0")
    return 0.0 if min(values) == 0 else len(values) / sum(1 / value for value in values)
