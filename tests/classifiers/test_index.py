import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers import PromptIndex


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def brute(vectors, owners, queries, allowed, floor):
    """Best score an owner by looking at everything, and whatever is best of all."""
    answers = []
    for scores in queries @ vectors.T:
        best = {}
        for owner, score in zip(owners, scores, strict=True):
            if allowed is None or owner in allowed:
                best[int(owner)] = max(float(score), best.get(int(owner), -2.0))
        top = max(best.values(), default=0)
        answers.append({o: s for o, s in best.items() if s >= floor or s == top})
    return answers


HALF = 1e-3  # what half precision may move a score by


def check(index, vectors, owners, queries, allowed, floor, within=1e-5):
    answers = index.search(queries, allowed=allowed, floor=floor)
    wanted = brute(vectors, owners, queries, allowed, floor)
    for answer, best in zip(answers, wanted, strict=True):
        scores = [score for _, score in answer]
        assert scores == sorted(scores, reverse=True)
        got = dict(answer)
        assert len(got) == len(answer)
        for owner, score in best.items():
            if score >= floor + within or score == max(best.values()):
                assert got[owner] == pytest.approx(score, abs=within)
        assert set(got) <= (set(owners.tolist()) if allowed is None else allowed)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    rows=st.integers(1, 300),
    people=st.integers(1, 12),
    floor=st.sampled_from([-np.inf, 0.0, 0.5, 0.9, np.inf]),
    some=st.one_of(st.none(), st.frozensets(st.integers(0, 14))),
)
def test_flat_search_equals_looking_at_everything(seed, rows, people, floor, some):
    draw = np.random.default_rng(seed)
    vectors = unit(draw.standard_normal((rows, 6)))
    owners = draw.integers(0, people, rows)
    queries = unit(draw.standard_normal((3, 6)))
    check(PromptIndex.build(vectors, owners), vectors, owners, queries, some, floor)


@pytest.mark.parametrize("flat_rows", [10_000, 100], ids=["flat", "cells"])
@pytest.mark.parametrize("allowed", [None, frozenset({1, 2}), frozenset({2})])
def test_near_duplicates_of_one_owner_hide_no_other(flat_rows, allowed):
    draw = np.random.default_rng(5)
    target = unit(draw.standard_normal((1, 16)))
    crowd = unit(target + 0.01 * draw.standard_normal((3000, 16)))
    other = unit(target + 0.15 * draw.standard_normal((20, 16)))
    vectors = np.vstack([crowd, other])
    owners = np.array([1] * 3000 + [2] * 20)
    index = PromptIndex.build(vectors, owners, flat_rows=flat_rows)
    check(index, vectors, owners, target, allowed, 0.6, HALF)


def test_cells_find_what_looking_at_everything_finds():
    draw = np.random.default_rng(6)
    vectors = unit(draw.standard_normal((4000, 32)))
    owners = np.arange(4000) // 4
    index = PromptIndex.build(vectors, owners, flat_rows=1000)
    queries = unit(vectors[::200] + 0.05 * draw.standard_normal((20, 32)))
    check(index, vectors, owners, queries, None, 0.8, HALF)
    check(index, vectors, owners, queries, frozenset(range(0, 1000, 2)), 0.9, HALF)
    for row in (0, 17, 3999):
        assert index.cosine(vectors[row], int(owners[row])) == pytest.approx(1.0, abs=HALF)


@pytest.mark.parametrize("flat_rows", [10_000, 10], ids=["flat", "cells"])
@pytest.mark.parametrize("order", ["together", "mixed"])
def test_a_cosine_with_one_owner_is_the_best_of_its_rows(flat_rows, order):
    draw = np.random.default_rng(5)
    vectors = unit(draw.standard_normal((300, 6)))
    owners = draw.integers(0, 7, 300)
    owners = np.sort(owners) if order == "together" else owners
    index = PromptIndex.build(vectors, owners, flat_rows=flat_rows)
    query = unit(draw.standard_normal((1, 6)))[0]
    for owner in range(7):
        best = (vectors[owners == owner] @ query).max()
        assert index.cosine(query, owner) == pytest.approx(best, abs=HALF)
    assert index.cosine(query, 9) == -1.0


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    people=st.integers(1, 12),
    some=st.frozensets(st.integers(0, 14), min_size=1),
)
def test_whoever_is_allowed_alone_answers_also_from_cells(seed, people, some):
    draw = np.random.default_rng(seed)
    vectors = unit(draw.standard_normal((200, 6)))
    owners = draw.integers(0, people, 200)
    index = PromptIndex.build(vectors, owners, flat_rows=20)
    held = set(owners.tolist()) & some
    for row in index.search(unit(draw.standard_normal((3, 6))), allowed=some, floor=0.9):
        assert {owner for owner, _ in row} <= held
        assert bool(row) == bool(held)
    for owner in held:
        (mine,) = np.flatnonzero(owners == owner)[:1]
        found = index.search(vectors[mine : mine + 1], allowed=some)[0]
        assert dict(found)[owner] == pytest.approx(1.0, abs=HALF)


def test_nobody_stored_or_allowed_is_an_empty_answer():
    queries = np.eye(2, 4, dtype=np.float32)
    empty = PromptIndex.build(np.empty((0, 4), np.float32), [])
    held = PromptIndex.build(queries, [1, 2])
    assert len(empty) == 0
    assert empty.search(queries) == [[], []]
    assert held.search(queries, allowed=frozenset({9})) == [[], []]


@pytest.mark.parametrize(
    ("vectors", "owners"),
    [
        (np.ones((2, 3)), [1]),
        (np.ones(3), [1, 2, 3]),
        (np.full((1, 3), np.nan), [1]),
    ],
)
def test_vectors_that_do_not_fit_are_refused(vectors, owners):
    with pytest.raises(ValueError):
        PromptIndex.build(vectors, owners)
