import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers import windows
from classifiers.windows import sentences


def words(text):
    return [match.span() for match in re.finditer(r"\S+", text)]


@pytest.mark.parametrize(
    ("text", "size", "overlap", "expected"),
    [
        ("", 3, 1, [("", 0)]),
        ("   ", 3, 1, [("   ", 0)]),
        ("a b c", 3, 1, [("a b c", 0)]),
        ("a b c d", 3, 1, [("a b c ", 0), ("c d", 4)]),
        (" a b c d e ", 3, 0, [(" a b c ", 0), ("d e ", 7)]),
        ("a b c d e", 2, 1, [("a b ", 0), ("b c ", 2), ("c d ", 4), ("d e", 6)]),
    ],
)
def test_windows_are(text, size, overlap, expected):
    chunks = windows(text, words(text), size=size, overlap=overlap)
    assert [(chunk.text, chunk.start) for chunk in chunks] == expected


@given(
    text=st.text(alphabet="ab \n\0é", max_size=200),
    size=st.integers(1, 12),
    data=st.data(),
)
def test_windows_cover_every_character_and_share_the_overlap(text, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    spans = words(text)
    chunks = windows(text, spans, size=size, overlap=overlap)
    assert chunks[0].start == 0
    assert chunks[-1].end == len(text)
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.end]
        assert chunk.tokens == len(words(chunk.text)) <= size
    for before, after in itertools.pairwise(chunks):
        assert before.start < after.start <= before.end < after.end
        assert len(words(text[after.start : before.end])) == overlap
    assert sum(chunk.tokens for chunk in chunks) == len(spans) + overlap * (len(chunks) - 1)


def test_tokens_that_share_a_character_do_not_lose_it():
    chunks = windows("abc", [(0, 1), (1, 2), (1, 2), (2, 3)], size=2, overlap=0)
    assert [chunk.text for chunk in chunks] == ["ab", "bc"]


@pytest.mark.parametrize(("size", "overlap"), [(4, 4), (4, 5), (4, -1), (0, 0)])
def test_windows_that_would_not_move_on_are_refused(size, overlap):
    with pytest.raises(ValueError, match="cannot overlap"):
        windows("a b", words("a b"), size=size, overlap=overlap)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Who is she?", []),
        ("", []),
        ("Where was she born? And what did she write?", 2),
        ("1. Where was she born?\n2. Who wrote Hamlet then?", 2),
        ("Hi. Yes. No.", []),
        ("她是谁？她在哪里出生？", 2),
        ("one two three; four five six", 2),
    ],
)
def test_sentences_of_a_text_that_has_several(text, parts):
    found = sentences(text)
    assert len(found) == (parts or 0)
    assert all(part in text for part in found)
