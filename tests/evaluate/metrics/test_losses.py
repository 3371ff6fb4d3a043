"""Metrics of losses and log-probabilities, against plain formulas and known ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.evaluate.metrics import (
    clustered_mean,
    exact_memorisation,
    extraction_strength,
    forget_quality,
    forget_truth_ratio,
    model_utility,
    normalised_probability,
    probability,
    probability_mean,
    retain_truth_ratio,
    truth_ratios,
    upper_bound,
)
from guard.evaluate.metrics.fit import closeness, expected, joint
from guard.evaluate.metrics.membership import (
    loss_score,
    membership_auc,
    min_k_plus_plus_score,
    min_k_score,
    priv_leak,
    zlib_score,
)
from guard.evaluate.metrics.probing import leave_one_out_probe
from guard.evaluate.metrics.ranking import auc
from guard.evaluate.metrics.remind import neighbourhood, variants

RIGHT = [1.0, 2.0]
WRONG = [[2.0, 3.0], [1.0, 2.0]]


def test_the_three_truth_ratios() -> None:
    e = math.exp
    legacy = truth_ratios(RIGHT, WRONG, "legacy-aggregate")
    assert legacy == pytest.approx([e(1.5), e(-0.5)])
    arithmetic = truth_ratios(RIGHT, WRONG, "legacy-utils")
    assert arithmetic == pytest.approx([(e(-2) + e(-3)) / 2 / e(-1), (e(-1) + e(-2)) / 2 / e(-2)])
    unlearning = truth_ratios(RIGHT, WRONG, "open-unlearning")
    assert unlearning == pytest.approx(1 / legacy)
    assert forget_truth_ratio(legacy) == pytest.approx(forget_truth_ratio(unlearning))
    for ratios, variant in ((legacy, "legacy-aggregate"), (unlearning, "open-unlearning")):
        assert retain_truth_ratio(ratios, variant) == pytest.approx((1 - e(-1.5)) / 2)
    assert probability_mean(RIGHT, WRONG) == pytest.approx(
        (1 / (1 + e(-1.5)) + 1 / (1 + e(0.5))) / 2
    )


def test_truth_ratios_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="do not belong"):
        truth_ratios([1.0], WRONG, "legacy-aggregate")


def test_probabilities() -> None:
    assert probability([0.0, math.log(2)]) == pytest.approx(0.75)
    third = [math.log(3)] * 2
    assert normalised_probability([math.log(3)], [third]) == pytest.approx(1 / 3)


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=9))
def test_utility_is_between_the_least_and_the_mean(parts: list[float]) -> None:
    assert min(parts) - 1e-9 <= model_utility(parts) <= sum(parts) / len(parts) + 1e-9
    assert model_utility([*parts, 0.0]) == 0


def test_forget_quality_is_the_same_for_inverse_ratios_and_1_for_the_same_model() -> None:
    chance = np.random.default_rng(0)
    ours, theirs = chance.lognormal(0, 1, 60), chance.lognormal(0.7, 1, 60)
    found = forget_quality(ours, theirs)
    assert found.p == pytest.approx(forget_quality(1 / ours, 1 / theirs).p)
    assert found.log10_p == pytest.approx(math.log10(found.p))
    assert forget_quality(ours, ours).p == 1
    with pytest.raises(ValueError, match="same items"):
        forget_quality(ours, theirs[:-1])


@pytest.mark.parametrize(
    ("predicted", "labels", "memorised", "extracted"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], 1.0, 1.0),
        ([9, 2, 3, 4], [1, 2, 3, 4], 0.75, 0.75),
        ([1, 2, 3, 9], [1, 2, 3, 4], 0.75, 0.0),
        ([9, 9], [1, 2], 0.0, 0.0),
    ],
)
def test_memorisation(
    predicted: list[int], labels: list[int], memorised: float, extracted: float
) -> None:
    assert exact_memorisation(predicted, labels) == memorised
    assert extraction_strength(predicted, labels) == extracted


def test_membership_scores() -> None:
    log_probs = [-4.0, -1.0, -3.0, -2.0]
    assert loss_score(log_probs) == 2.5
    assert min_k_score(log_probs, 0.5) == 3.5
    assert min_k_score(log_probs, 0.01) == 4
    assert zlib_score(log_probs, "a") == 10 / len(__import__("zlib").compress(b"a"))
    assert min_k_plus_plus_score(log_probs, [-2.0] * 4, [2.0] * 4, 0.5) == 0.75


def test_an_untouched_model_leaks_and_a_retrained_one_does_not() -> None:
    members, others = [0.1, 0.2, 0.3], [2.0, 3.0, 1.0]
    assert membership_auc(members, others) == 0
    assert priv_leak(membership_auc(members, others), 0.4772) == pytest.approx(-100)
    assert priv_leak(0.4772, 0.4772) == 0


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=8),
    st.lists(st.integers(0, 5), min_size=1, max_size=8),
)
def test_auc_counts_pairs(positives: list[int], negatives: list[int]) -> None:
    wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
    assert auc(positives, negatives) == pytest.approx(wins / len(positives) / len(negatives))


def test_fit() -> None:
    assert joint(1, 1, 1) == pytest.approx(100)
    assert joint(0.5, 0, 1) == 0
    assert expected(90, 30, 1, 3) == pytest.approx(70)
    assert [closeness(*pair) for pair in ((70, 70), (35, 70), (200, 70))] == [1, 0.5, 0]


def test_neighbourhoods_replace_tokens_by_near_ones() -> None:
    angle = np.linspace(0, np.pi, 20)
    embeddings = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    tokens = [3, 10, 17, 10]
    found = variants(tokens, embeddings, count=6, nearest=2, seed=1)
    assert len(found) == 6
    for ids, count in found:
        changed = np.flatnonzero(ids != tokens)
        assert len(changed) == count >= 1
        assert all(abs(ids[at] - tokens[at]) <= 2 for at in changed)
    around = neighbourhood(1.0, [2.0, 4.0], [1, 3])
    assert around.as_features() == pytest.approx([3.0, 1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="variants are needed"):
        neighbourhood(1.0, [2.0], [0])


def test_a_probe_tells_separate_groups_and_not_mixed_ones() -> None:
    chance = np.random.default_rng(0)
    states = chance.normal(size=(12, 4))
    assert leave_one_out_probe(states[:6] + 5, states[6:] - 5) == 1
    assert leave_one_out_probe(states[:6], states[6:]) < 0.9


@pytest.mark.parametrize(
    ("hits", "trials", "bound"), [(0, 59, 0.0495), (0, 300, 0.00994), (5, 5, 1.0), (1, 100, 0.0466)]
)
def test_upper_bounds(hits: int, trials: int, bound: float) -> None:
    assert upper_bound(hits, trials) == pytest.approx(bound, abs=1e-4)


def test_rows_of_one_subject_count_as_one() -> None:
    values = [1.0] * 50 + [0.0] * 50
    apart = clustered_mean(values, range(100))
    together = clustered_mean(values, ["a"] * 50 + ["b"] * 50)
    assert apart.value == together.value == 0.5
    assert 0.38 < apart.low < apart.high < 0.62
    assert (together.low, together.high) == (0, 1)
    none = clustered_mean([0.0] * 40, [n % 4 for n in range(40)])
    assert (none.low, none.high) == (0, pytest.approx(0.5271, abs=1e-4))
    assert none.high == pytest.approx(upper_bound(0, 4))
    every = clustered_mean([1.0] * 4, range(4))
    assert (every.low, every.high) == (pytest.approx(1 - none.high), 1)
    agreeing = clustered_mean([1.0, 0.0, 1.0, 0.0], ["a", "a", "b", "b"])
    assert 0 < agreeing.low < 0.1 < agreeing.value == 0.5 < 0.9 < agreeing.high < 1
    alone = clustered_mean([1.0, 1.0], ["a", "a"])
    assert (alone.low, alone.high) == (0, 1)
