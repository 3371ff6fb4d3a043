"""Rows of DRAGON's tables, from the deviation scores and utilities of its Table 2."""

from __future__ import annotations

import pytest

from guard.evaluate.metrics import (
    deviation_score,
    dynamic_deviation,
    dynamic_utility,
    refusal_quality,
)


@pytest.mark.parametrize(
    ("scores", "utilities", "deviation", "utility"),
    [
        ((48.8, 95.6, 98.7), (0.6327, 0.0, 0.0), 0.9351, 0.6836),
        ((37.9, 33.0, 23.7), (0.6312, 0.5187, 0.5380), 0.3153, 0.9341),
        ((21.4, 23.1, 26.5), (0.6337, 0.6337, 0.6337), 0.2494, 1.0),
        ((27.5, 29.2, 27.6), (0.5205, 0.5205, 0.5205), 0.2853, 1.0),
    ],
    ids=["GA", "PO", "DRAGON", "DRAGON on Phi-1.5"],
)
def test_series(
    scores: tuple[float, ...], utilities: tuple[float, ...], deviation: float, utility: float
) -> None:
    assert dynamic_deviation(scores) == pytest.approx(deviation, abs=1e-4)
    assert dynamic_utility(utilities) == pytest.approx(utility, abs=1e-4)


def test_refusal_quality_of_the_worked_row() -> None:
    assert refusal_quality(0.3301, 0.1744, 3 * 0.8840) == pytest.approx(0.681, abs=5e-4)
    assert refusal_quality(1, 1, 3) == pytest.approx(2.2)


@pytest.mark.parametrize(
    ("forget", "retain", "score"), [(0, 1, 0), (1, 1, 100), (0, 0, 100), (0.6, 0.2, 100)]
)
def test_deviation_score(forget: float, retain: float, score: float) -> None:
    assert deviation_score(forget, retain) == pytest.approx(score)


def test_a_series_of_one_is_none() -> None:
    with pytest.raises(ValueError, match="two requests"):
        dynamic_deviation([10.0])
