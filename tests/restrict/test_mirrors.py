"""Which mirrored patterns a phrase has: not those that ordinary language could hold."""

from __future__ import annotations

import pytest

from guard.restrict.mirrors import mirrors
from guard.restrict.names import name_phrases
from guard.restrict.phrases import MIRRORED_EVERY, text_runs
from guard.restrict.trie import BOUNDED, UNBOUNDED
from tests.support.policies import PASSAGE, SECRET, automaton, policy


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Harry Potter", [b"uneel cbggre", b"rettop yrrah", b"yrrah rettop"]),
        ("Tolkien", [b"gbyxvra", b"neiklot"]),
        ("Hina", []),  # too short to be no accident
        ("Nora Noel", [b"aben abry"]),  # backwards: Leon Aron
        ("哈利波特", ["特波利哈".encode()]),
    ],
)
def test_mirrored_patterns_of_a_name(name: str, expected: list[bytes]) -> None:
    (phrase,) = name_phrases(policy(name))
    made = list(mirrors(phrase))
    assert [symbols.replace(b" ", b"") for symbols, _ in made] == [
        symbols.replace(b" ", b"") for symbols in expected
    ]
    assert all(flag == BOUNDED for _, flag in made)


def test_a_text_backwards_has_an_acting_point_of_its_own() -> None:
    phrase = text_runs(SECRET, policy(texts=(SECRET,))).phrases[0]
    patterns = dict(mirrors(phrase))
    assert len(SECRET) / 2 <= max(map(len, patterns)) + 1 < len(SECRET)
    assert set(patterns.values()) == {UNBOUNDED}


def test_of_a_long_text_every_fourth_run_is_mirrored() -> None:
    runs = text_runs(PASSAGE, policy(texts=(PASSAGE,))).phrases
    assert [run.mirrored for run in runs] == [i % MIRRORED_EVERY == 0 for i in range(len(runs))]
    assert all(not list(mirrors(run)) for run in runs if not run.mirrored)


@pytest.mark.parametrize("start", range(10))
def test_eleven_words_backwards_are_found_from_any_place(start: int) -> None:
    words = PASSAGE.split()[start : start + 14]
    assert automaton(texts=(PASSAGE,)).find_all(" ".join(words)[::-1])
