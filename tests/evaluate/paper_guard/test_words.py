"""The soft penalty of a word, and that no word is encoded twice."""

from __future__ import annotations

import math

import numpy as np
import pytest

from guard.evaluate.paper_guard.words import WordPenalty, WordVectors, bare, words_of
from tests.evaluate.paper_guard.conftest import Trigrams


def penalty(encoder: Trigrams, *, delta: float | None = 0.5, soft: float = 1.0) -> WordPenalty:
    return WordPenalty(WordVectors(encoder), ["Orlimar"], delta=delta, soft=soft)


@pytest.mark.parametrize(
    ("word", "encoded"),
    [
        ("Paris,", "paris"),
        ("(Al-Kuwaiti)", "al-kuwaiti"),
        ("—", ""),
        ("", ""),
        ("**1956**", "1956"),
    ],
)
def test_a_word_is_encoded_without_punctuation_and_case(word: str, encoded: str) -> None:
    assert bare(word) == encoded


def test_a_stretch_without_white_space_is_cut_to_what_the_encoder_reads() -> None:
    assert words_of(" a\nb " + "x" * 250) == ["a", "b", "x" * 100, "x" * 100, "x" * 50]


def test_a_near_word_is_dropped_and_another_pays_its_cosine(trigrams: Trigrams) -> None:
    near, far = penalty(trigrams), penalty(trigrams, delta=None)
    row, span = trigrams.encode(["order", "Orlimar"])
    assert near.of("ORLIMAR!") == math.inf
    assert far.of("ORLIMAR!") == pytest.approx(1)
    assert near.of("order") == pytest.approx(float(row @ span)) != 0
    assert penalty(trigrams, soft=0.25).of("order") == pytest.approx(near.of("order") / 4)
    assert near.of("...") == 0


def test_delta_itself_is_dropped(trigrams: Trigrams) -> None:
    cosine = float(np.prod(trigrams.encode(["orli", "Orlimar"]), axis=0).sum())
    assert penalty(trigrams, delta=cosine - 1e-6).of("orli") == math.inf
    assert penalty(trigrams, delta=cosine + 1e-6).of("orli") < math.inf


def test_every_word_goes_to_the_encoder_once_whoever_asks(trigrams: Trigrams) -> None:
    vectors = WordVectors(trigrams)
    one, other = (
        WordPenalty(vectors, [span], delta=0.5, soft=1.0) for span in ("Orlimar", "Quill")
    )
    for _ in range(3):
        for asked in (one, other):
            asked.prepare(["bell", "Bell,", "dusk"])
            asked.of("bell")
            asked.of("heron")
    assert sorted(trigrams.texts) == ["Orlimar", "Quill", "bell", "dusk", "heron"]
    assert trigrams.calls[2] == ["bell", "dusk"]  # those of one step together
    assert (vectors.calls, vectors.encoded) == (4, 5)


def test_without_a_say_the_encoder_is_not_called(trigrams: Trigrams) -> None:
    assert penalty(trigrams, delta=None, soft=0).of("Orlimar") == 0
    assert trigrams.calls == []


def test_a_full_cache_begins_anew_and_answers_the_same(trigrams: Trigrams) -> None:
    small = WordVectors(trigrams, room=3)
    first = small.of(["a", "b"])
    small.of(["c", "d"])
    assert np.array_equal(small.of(["a", "b"]), first)
    assert trigrams.texts.count("a") == 2
