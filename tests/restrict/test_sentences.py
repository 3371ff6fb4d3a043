"""Sentences: the same over any chunking, with nothing lost between them, and no end too early."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.restrict.sentences import LONGEST_SENTENCE, Sentence, Sentences


def read(*pieces: str, **options: int) -> list[Sentence]:
    reading = Sentences(**options)
    found = [sentence for piece in pieces for sentence in reading.feed(piece)]
    return found + reading.flush()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It rained. She left! Why? He stayed.", ["It rained.", "She left!", "Why?", "He stayed."]),
        ("J. K. Moss wrote it. Dr. Moss read it.", ["J. K. Moss wrote it.", "Dr. Moss read it."]),
        ("It cost 3.14 pounds at www.example.org now.", None),
        ("He served in the U.S. Army.", None),
        ("Lamps, bells etc. rang. Then night.", ["Lamps, bells etc. rang.", "Then night."]),
        ('He said "Stop." Then (he ran.) Away.', ['He said "Stop."', "Then (he ran.)", "Away."]),
        ('"Really?" he asked.', None),
        ("Wait... what is it?! Now.", ["Wait... what is it?!", "Now."]),
        ("One line\nof a column\ngoes on.", None),
        ("A heading\n\nA paragraph", ["A heading", "A paragraph"]),
        ("Things:\n- a lamp\n- a bell", ["Things:", "- a lamp", "- a bell"]),
        ("Things:\n1) a lamp\n12. a bell", ["Things:", "1) a lamp", "12. a bell"]),
        ("He was born in\n1956 in Kuwait.", None),
        ("她住在北京。他呢？「好！」走了。", ["她住在北京。", "他呢？", "「好！」", "走了。"]),
        ("वह घर गया। वह सो गया।", ["वह घर गया।", "वह सो गया।"]),
        ("", []),
        ("no end", ["no end"]),
    ],
)  # fmt: skip
def test_where_sentences_end(text: str, sentences: list[str] | None) -> None:
    assert [s.text for s in read(text, enough=0)] == ([text] if sentences is None else sentences)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Yes. Of course. The nightjar sings at dusk.", 1),
        ("The nightjar sings at dusk. Yes. Lanterns. The keeper sleeps badly.", 2),
        ("The nightjar sings at dusk. Of course.", 2),
    ],
)
def test_a_sentence_without_content_joins_the_next(text: str, sentences: int) -> None:
    found = read(text)
    assert len(found) == sentences
    assert "".join(text[s.start : s.end] for s in found) == text


def test_what_is_left_over_says_how_little_it_says() -> None:
    assert [s.content for s in read("The nightjar sings at dusk. Of course.")] == [3, 0]


@pytest.mark.parametrize(
    "text", ["nightjar " * 500, "x" * 5000, "\n " * 3000, ". " * 3000, "«." * 999]
)
def test_no_sentence_is_longer_than_the_bound(text: str) -> None:
    reading = Sentences()
    for letter in text:
        reading.feed(letter)
        assert reading.end - reading.start <= LONGEST_SENTENCE
    assert all(s.end - s.start <= LONGEST_SENTENCE for s in read(text))


pieces = st.lists(
    st.one_of(
        st.sampled_from(
            [". ", "? ", "!\n", "\n\n", "\n- ", "\n1. ", "...", "。", "」", '"', "Dr. ", "J. ",
             "nightjar", "The lantern", " kuwait", "3.5", " ", "a", "U.S. ", "\u2029", "x" * 150]
        ),
        st.text(max_size=3),
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(pieces, st.lists(st.integers(0, 10_000), max_size=20))
def test_any_chunking_gives_the_same_sentences(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    whole = read(text)
    assert read(*(text[start:end] for start, end in pairwise(places))) == whole
    assert read(*text) == whole
    assert [s.start for s in whole] == [0, *(s.end for s in whole)][: len(whole)]
    assert not text or whole[-1].end == len(text)
