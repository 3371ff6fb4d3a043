"""How much two texts have in common, in order: the longest common subsequence of their words."""

from __future__ import annotations

from collections.abc import Sequence


def common_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, one bit a token (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for place, token in enumerate(first):
        places[token] = places.get(token, 0) | 1 << place
    full = (1 << len(first)) - 1
    row = full  # a zero bit: the subsequence grows there
    for token in second:
        hits = row & places.get(token, 0)
        row = ((row + hits) | (row - hits)) & full
    return len(first) - row.bit_count()
