"""How far a text has got in a forbidden sequence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.evaluate.paper_guard.trie import Live, TokenTrie, match_ratio

SEQUENCES = [[1, 2, 3, 4], [2, 3], [5], [6, 6, 7], [8, 9], [8, 9, 1, 1]]


def ratio(sequences: list[list[int]], text: list[int]) -> float:
    trie, live = TokenTrie(sequences), Live()
    for token in text:
        live = trie.advance(live, token)
    return match_ratio(live)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ([], 0),
        ([0], 0),
        ([1], 1 / 4),  # having begun is not being complete
        ([1, 2], 2 / 4),
        ([1, 2, 0], 0),
        ([0, 2], 1 / 2),
        ([1, 2, 3], 1),  # because it ends with 2, 3
        ([5], 1),
        ([1, 5], 1),
        ([6, 6], 2 / 3),
        ([6, 6, 6], 2 / 3),
        ([6, 6, 6, 7], 1),  # a sequence that begins inside another attempt
        ([8], 1 / 2),  # of the shorter of the two that begin like this
        ([8, 9], 1),
        ([8, 9, 1], 3 / 4),
        ([8, 9, 1, 1], 1),
    ],
)
def test_table_of_ratios(text: list[int], expected: float) -> None:
    assert ratio(SEQUENCES, text) == pytest.approx(expected)


_TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=4)


@given(st.lists(_TOKENS, min_size=1, max_size=5), st.lists(st.integers(0, 2), max_size=8))
def test_the_ratio_is_that_of_the_best_suffix(sequences: list[list[int]], text: list[int]) -> None:
    shares = [
        length / len(sequence)
        for sequence in sequences
        for length in range(1, len(sequence) + 1)
        if text[-length:] == sequence[:length]
    ]
    assert ratio(sequences, text) == pytest.approx(max(shares, default=0))


def test_an_empty_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        TokenTrie([[1], []])
