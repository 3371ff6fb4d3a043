"""What a candidate token costs, and which are dropped."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.evaluate.paper_guard.penalty import Penalty, Place
from guard.evaluate.paper_guard.trie import TokenTrie
from guard.evaluate.paper_guard.words import WordPenalty, WordVectors, words_of
from tests.evaluate.paper_guard.conftest import Trigrams

PIECES: list[bytes | None] = [
    None, b" Par", b"is", b" is", b"Paris", b" ", b",", b"a b", b"\n\n", b"king",
    b"\xc3", b"\xbc", b"\xff", "ü".encode(), b"x y z",
]  # fmt: skip
SPECIAL, PAR, IS, _IS, PARIS, *_, KING = range(10)
TEXT = range(1, len(PIECES))


def words_penalty(encoder: Trigrams, delta: float | None) -> WordPenalty:
    return WordPenalty(WordVectors(encoder), ["Paris king ü"], delta=delta, soft=1.0)


def made(
    encoder: Trigrams, *sequences: list[int], beta: float = 1.0, delta: float | None = None
) -> Penalty:
    return Penalty(PIECES, TokenTrie(sequences), words_penalty(encoder, delta), beta=beta)


def through(penalty: Penalty, tokens: list[int]) -> float | None:
    """What a text costs token by token; None when one is dropped."""
    place, total = Place(), 0.0
    for token in tokens:
        (verdict,) = penalty.judge([(place, token)])
        if verdict is None:
            return None
        place, cost = verdict
        total += cost
    return total


def test_what_begins_a_forbidden_sequence_is_let_through(trigrams: Trigrams) -> None:
    penalty = made(trigrams, [PAR, IS], [KING, PAR, IS])
    assert through(penalty, [PAR]) is not None
    assert through(penalty, [KING, PAR]) is not None
    assert through(penalty, [PAR, KING]) is not None
    assert through(penalty, [PAR, IS]) is None
    assert through(penalty, [KING, PAR, IS]) is None


@pytest.mark.parametrize(("beta", "dropped"), [(1.0, False), (0.51, False), (0.5, True)])
def test_beta_is_the_share_that_drops_a_token(
    trigrams: Trigrams, beta: float, dropped: bool
) -> None:
    assert (through(made(trigrams, [PAR, IS], beta=beta), [PAR]) is None) == dropped


@pytest.mark.parametrize("token", [SPECIAL, len(PIECES), 10**6])
def test_tokens_without_text_are_dropped(trigrams: Trigrams, token: int) -> None:
    """Between two tokens of a forbidden sequence they would hide it."""
    assert through(made(trigrams), [token]) is None


def test_a_word_is_what_its_tokens_make_and_never_a_fragment(trigrams: Trigrams) -> None:
    penalty = made(trigrams, delta=0.99)
    penalty.judge([(Place(), PAR), (Place(), KING)])
    assert trigrams.calls[1:] == [["par", "king"]]  # all candidates of a step in one call
    (verdict,) = penalty.judge([(Place((), b"Par"), IS)])
    assert verdict is not None
    assert trigrams.calls[2:] == [["paris"]]
    penalty.judge([(Place((), b"Par"), IS), (verdict[0], _IS), (verdict[0], IS)])
    assert trigrams.calls[3:] == [["is", "parisis"]]


def test_a_near_word_is_dropped_when_its_last_token_comes(trigrams: Trigrams) -> None:
    near = WordPenalty(WordVectors(trigrams), ["Paris"], delta=0.9, soft=1.0)
    penalty = Penalty(PIECES, TokenTrie([]), near, beta=1.0)
    assert through(penalty, [PAR]) is not None
    assert through(penalty, [PAR, KING]) is not None
    assert through(penalty, [PAR, IS]) is None
    assert through(penalty, [PARIS]) is None


_ENCODER = Trigrams()
_FREE = made(_ENCODER)
_WORDS = words_penalty(_ENCODER, None)


@settings(deadline=None)
@given(st.lists(st.sampled_from(TEXT), max_size=10))
def test_a_text_pays_for_each_of_its_words_once(tokens: list[int]) -> None:
    """In whatever tokens it is spelled, broken characters included."""
    text = b"".join(PIECES[token] or b"" for token in tokens).decode("utf-8", "ignore")
    expected = sum(map(_WORDS.of, words_of(text)))
    assert through(_FREE, tokens) == pytest.approx(expected, abs=1e-5)
