"""The longest common subsequence, beside the textbook's table."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guard.subsequence import common_length


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_longest_common_subsequence(first: list[str], second: list[str]) -> None:
    rows = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            rows[i + 1][j + 1] = rows[i][j] + 1 if a == b else max(rows[i][j + 1], rows[i + 1][j])
    assert common_length(first, second) == rows[-1][-1]
