"""TOFU's truth ratio: is the paraphrased right answer likelier than perturbed, wrong ones?

Three published definitions are in use and differ in value, so every figure names its own:

- `legacy-aggregate` (TOFU's aggregate_eval_stat): R = p(right) / geometric mean p(wrong).
- `legacy-utils` (TOFU's utils): R = arithmetic mean p(wrong) / p(right).
- `open-unlearning`: R = geometric mean p(wrong) / p(right); its paper states
  p(right) / (p(right) + p(wrong)) instead, given here as `open-unlearning-prob-mean`.

All p are per token: exp(-mean negative log-likelihood). Source: Maini et al., TOFU (2024), 2.2.2.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Variant = Literal["legacy-aggregate", "legacy-utils", "open-unlearning"]
Floats = NDArray[np.float64]

VARIANTS: tuple[Variant, ...] = ("legacy-aggregate", "legacy-utils", "open-unlearning")


def truth_ratios(right: ArrayLike, wrong: ArrayLike, variant: Variant) -> Floats:
    """R of every item.

    `right`: mean negative log-likelihood per token of the right answer, shape (items,); `wrong`:
    of the wrong ones, shape (items, answers).
    """
    good = np.asarray(right, np.float64)
    bad = np.asarray(wrong, np.float64)
    if bad.shape[:1] != good.shape or bad.ndim != 2:
        raise ValueError(f"shapes {good.shape} and {bad.shape} do not belong together")
    if variant == "legacy-utils":
        ratios: Floats = np.exp(-bad).mean(axis=1) / np.exp(-good)
        return ratios
    difference = bad.mean(axis=1) - good
    inverse: Floats = np.exp(difference if variant == "legacy-aggregate" else -difference)
    return inverse


def forget_truth_ratio(ratios: ArrayLike) -> float:
    """Over forgotten items: mean min(R, 1/R), 1 where right and wrong are equally likely.

    The same for R and 1/R, so for `legacy-aggregate` and `open-unlearning`.
    """
    found = np.asarray(ratios, np.float64)
    return float(np.minimum(found, 1 / found).mean())


def retain_truth_ratio(ratios: ArrayLike, variant: Variant) -> float:
    """Over items to be kept: mean max(0, 1 - p(wrong)/p(right)), 1 for a model that knows them."""
    found = np.asarray(ratios, np.float64)
    wrong_over_right = 1 / found if variant == "legacy-aggregate" else found
    return float(np.maximum(0.0, 1 - wrong_over_right).mean())


def probability_mean(right: ArrayLike, wrong: ArrayLike) -> float:
    """`open-unlearning-prob-mean`: mean p(right) / (p(right) + geometric mean p(wrong))."""
    ratios = truth_ratios(right, wrong, "open-unlearning")
    return float((1 / (1 + ratios)).mean())
