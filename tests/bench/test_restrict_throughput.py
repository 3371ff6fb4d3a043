"""`bench.restrict_throughput` compares each turn with the bare engine's in the same round."""

from __future__ import annotations

import pytest

from bench.restrict_throughput import _summary, _Turn


def test_what_all_arms_lose_in_a_round_is_no_loss_and_what_one_loses_is() -> None:
    moods = [1.0, 0.5, 2.0, 1.25]
    found = {
        "no plugin": [_Turn(1000 * mood, 1100, [[1]]) for mood in moods],
        "no sets": [_Turn(1000 * mood, 1100, [[1]]) for mood in moods],
        "sets": [_Turn(980 * mood, 1100 * 0.97, [[1]]) for mood in moods],
    }
    told = _summary(found)
    assert told["rounds"] == 4
    assert told["throughput_ratio"]["no sets"] == {"mean": 1, "low": 1, "high": 1}
    assert told["throughput_ratio"]["sets"]["mean"] == pytest.approx(0.98)
    assert told["throughput_ratio_p50"] == {"no sets": 1, "sets": 0.98}
    assert told["of_processor_time"]["sets"]["low"] == pytest.approx(0.97, abs=1e-4)


def test_a_loss_that_swings_has_an_interval_around_its_mean() -> None:
    found = {
        "no plugin": [_Turn(1000, 1000, [])] * 4,
        "sets": [_Turn(1000 * ratio, 1000, []) for ratio in (0.9, 1.0, 0.95, 1.05)],
    }
    interval = _summary(found)["throughput_ratio"]["sets"]
    assert interval["low"] < 0.95 < interval["mean"] < 1 < interval["high"]
