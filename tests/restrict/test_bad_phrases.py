"""Odd phrases: lint says what will become of them, and neither walk breaks on them."""

from __future__ import annotations

import pytest

from guard.policy import Policy
from guard.policy.compiled import Entity
from guard.restrict import PhraseAutomaton, lint_phrases, name_phrases, text_phrases
from guard.restrict.token_guard import TokenGuard
from guard.restrict.trie import build_trie
from tests.restrict.test_token_guard import END, VOCABULARY

LONG = "the heron unlocks vault " * 420  # 10,000 characters
RTL = "محفوظ نجيب"


def policy(names: list[str], texts: list[str]) -> Policy:
    return Policy("p", entities=tuple(map(Entity, names)), texts=tuple(texts))


@pytest.mark.parametrize(
    ("names", "texts", "said"),
    [
        (["---"], [], ["matches nothing"]),
        ([], ["!?"], ["match nothing"]),
        ([], ["it is"], ["ordinary language and are not", "are left out"]),
        (["Ana Li", "Ana Li Berg"], [], ["holds another entity's"]),
        (["Ana Li", "Ana Lindqvist"], [], []),
        (["Ana Li", "Ana Li"], [], ["holds another entity's"] * 2),
        (["x" * 10_000], [], ["acted on after 192 bytes"]),
        ([], ["z" * 10_000], ["a word of over 192 bytes"]),
        ([], [LONG], []),
        ([RTL], [], []),
        (["\ud800lone Surrogate"], [], []),
    ],
)
def test_lint_says_what_will_happen(names: list[str], texts: list[str], said: list[str]) -> None:
    messages = [problem.message for problem in lint_phrases(policy(names, texts))]
    assert len(messages) == len(said)
    assert all(part in message for part, message in zip(said, messages, strict=True))


def spelled(text: str) -> list[int]:
    """A text in tokens of one byte each."""
    single = {VOCABULARY.bytes_of(i): i for i in range(1, VOCABULARY.tokens)}
    return [single[bytes([byte])] for byte in text.encode("utf-8", "surrogatepass")]


@pytest.mark.parametrize(
    ("names", "texts", "answer"),
    [
        (["Ana Li", "Ana Li Berg", "Li Berg"], [], "so Ana Li Berg said"),
        ([], [LONG], LONG),
        (["x" * 10_000], [], "x" * 10_000),
        ([RTL], [], f"\u200f{RTL}\u200e!"),
        (["\ud800lone Surrogate"], [], "a \ufffdlone Surrogate"),
        (["習近平"], [], "是習近平的"),
        (["ab"], [], "ab"),
    ],
    ids=["contained", "long text", "long word", "right to left", "surrogate", "unspaced", "short"],
)
def test_neither_walk_lets_it_out_or_breaks(
    names: list[str], texts: list[str], answer: str
) -> None:
    made = policy(names, texts)
    phrases = [*name_phrases(made), *text_phrases(made)]
    automaton = PhraseAutomaton(phrases)
    assert automaton.find_all(answer)
    guard = TokenGuard(VOCABULARY, end=END, rows=1)
    root = guard.plant(build_trie([p.symbols for p in phrases], [p.flag for p in phrases]))
    guard.begin(0, [root])
    refused = False
    for token in spelled(answer):
        if token in guard.forbidden(0):
            refused = True
            break
        guard.take([0], [token])
    assert refused


def test_a_phrase_that_the_vocabulary_cannot_spell_costs_nothing_and_breaks_nothing() -> None:
    from guard.restrict.vocabulary import build_vocabulary

    small = build_vocabulary([None, b"a", b"b", b" "])
    name, *_ = name_phrases(policy(["Zoe Quill"], []))
    guard = TokenGuard(small, end=0, rows=1)
    guard.begin(0, [guard.plant(build_trie([name.symbols], [name.flag]))])
    for token in (1, 3, 2, 2):
        assert guard.forbidden(0) == set()
        guard.take([0], [token])
