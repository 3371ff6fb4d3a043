"""The trie accepts exactly the phrases it was built from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.restrict.trie import BOUNDED, UNBOUNDED, Trie, build_trie

phrase_lists = st.lists(st.binary(min_size=1, max_size=12), max_size=40)


def walk(trie: Trie, phrase: bytes) -> int | None:
    node = 0
    for byte in phrase:
        edges = range(trie.first[node], trie.first[node + 1])
        found = [edge + 1 for edge in edges if trie.labels[edge] == byte]
        if not found:
            return None
        (node,) = found
    return node


@given(phrase_lists, phrase_lists)
def test_it_accepts_its_phrases_and_no_others(phrases: list[bytes], others: list[bytes]) -> None:
    trie = build_trie(phrases, [BOUNDED] * len(phrases))
    for phrase, end in zip(phrases, trie.ends.tolist(), strict=True):
        assert walk(trie, phrase) == end
        assert trie.accept[end] == BOUNDED
    for other in set(others) - set(phrases):
        node = walk(trie, other)
        assert node is None or trie.accept[node] == 0
    assert int((trie.accept > 0).sum()) == len(set(phrases))


@given(phrase_lists)
def test_labels_are_sorted_within_a_node(phrases: list[bytes]) -> None:
    trie = build_trie(phrases, [BOUNDED] * len(phrases))
    for node in range(trie.nodes):
        labels = trie.labels[trie.first[node] : trie.first[node + 1]].tolist()
        assert labels == sorted(set(labels))


def test_a_phrase_given_with_both_flags_has_both() -> None:
    trie = build_trie([b"ab", b"ab"], [BOUNDED, UNBOUNDED])
    assert trie.accept[trie.ends[0]] == BOUNDED | UNBOUNDED


def test_no_phrases_make_a_trie_of_one_node() -> None:
    assert build_trie([], []).nodes == 1


def test_an_empty_phrase_is_refused() -> None:
    with pytest.raises(ValueError, match="matches everywhere"):
        build_trie([b"a", b""], [BOUNDED, BOUNDED])
