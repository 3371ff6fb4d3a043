"""Folding words, and what they tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.words import LITTLE, UNKNOWN_BITS, bits, distinct, fold, folded, stem, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zürich's CAFÉ", ("zurich", "cafe")),
        ("Sørensen, Łódź & Æsir", ("sorensen", "lodz", "aesir")),
        ("Raven Marais' films", ("raven", "marais", "films")),
        ("ﬁnal ①", ("final", "1")),
        ("", ()),
        ("...", ()),
    ],
)
def test_folded_words(text, expected):
    assert folded(text) == expected


@given(st.text("aBé's’ -_1\n\u0301ﬁİ", max_size=20))
def test_distinct_words_are_the_same_words(text):
    assert distinct(text) == set(folded(text))


def test_offsets_are_of_the_given_text():
    text = "Who is Ottilie’s father, İpek Ñandú?"
    assert [fold(text[word.start : word.end]) for word in words(text)] == list(folded(text))


@pytest.mark.parametrize(
    ("text", "capitals"),
    [
        ("Where is Bergen?", ["bergen"]),
        ("Bergen is where?", []),
        ("It ended. Bergen won.", []),
        ("he said: “Bergen” and Oslo", ["oslo"]),
        ("¿Dónde nació Ana? ¡Dilo!", ["ana"]),
        ("Er fragte: „Wo liegt Bergen?“", ["bergen"]),
        ("Dime, ¿Ana vive?", ["ana"]),
    ],
)
def test_a_capital_counts_where_no_sentence_begins(text, capitals):
    assert [word.text for word in words(text) if word.capital] == capitals


def test_rare_words_tell_more_and_those_about_any_person_little():
    assert bits("the") < bits("harbour") < bits("taxidermist") <= UNKNOWN_BITS
    assert bits("qzxv") == UNKNOWN_BITS
    assert {bits(word) for word in ("novelist", "novelists", "award", "born")} == {LITTLE}


@pytest.mark.parametrize(
    ("one", "other"), [("novels", "novel"), ("stories", "story"), ("painted", "paint")]
)
def test_a_stem_is_shared(one, other):
    assert stem(one) == stem(other)
