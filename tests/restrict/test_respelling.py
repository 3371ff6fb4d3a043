"""Names as others spell them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.restrict.folding import fold_words
from guard.restrict.respelling import MOST_BY_EAR, MOST_IN_LETTERS, respellings


@pytest.mark.parametrize(
    ("name", "spelt"),
    [
        # by ear
        ("Harry Potter", ["harri potter", "harrie potter", "hary potter", "harry poter"]),
        ("Annie Leibovitz", ["anny leibovitz", "anni leibovitz"]),
        ("Humphrey Bogart", ["humphry bogart", "humfrey bogart"]),
        ("Erik Thorvaldsen", ["eric thorvaldsen", "erik torvaldsen"]),
        ("Christina Rossetti", ["kristina rossetti", "cristina rossetti", "christina rosetti"]),
        ("Alexander Quine", ["aleksander quine", "alexander kwine"]),
        ("Lisa Nuzman", ["liza nuzman"]),
        # umlauts as two letters, of a single word too
        ("Müller", ["mueller"]),
        ("Søren Kierkegaard", ["soeren kierkegaard"]),
        # in Cyrillic, and back
        ("Harry Potter", ["гарри поттер", "харри поттер"]),
        ("Albert Schweitzer", ["альберт швейцер"]),
        ("Elizabeth Taylor", ["элизабет тэйлор", "элизабет тайлор"]),
        ("Theodore Roosevelt", ["теодоре русевельт"]),
        ("Marie Curie", ["мари кури"]),
        ("Jack London", ["джак лондон"]),
        ("Гарри Поттер", ["garri potter", "harri potter"]),
        ("Достоевский", ["dostoevsky", "dostoevskiy"]),
        ("Юлия Хованская", ["yuliya khovanskaya", "iuliia hovanskaia"]),
    ],
)
def test_a_name_as_others_spell_it(name: str, spelt: list[str]) -> None:
    assert [one for one in spelt if one not in respellings(name)] == []


@pytest.mark.parametrize(
    ("name", "not_spelt"),
    [
        ("Anna", "ana"),  # one word: somebody else's name
        ("Ann Lee", "an lee"),  # too short
        ("Madonna", "madona"),
        ("Harry Potter", "harry potter"),  # the name itself
        ("Harry Potter", "barry potter"),
    ],
)
def test_what_is_another_name_stays_one(name: str, not_spelt: str) -> None:
    assert not_spelt not in respellings(name)


@pytest.mark.parametrize(
    "name", ["哈利波特", "محمود درويش", "Νίκος Καζαντζάκης", "12 34", "--", ""]
)
def test_alphabets_without_rules_have_no_other_spellings(name: str) -> None:
    assert respellings(name) == ()


@given(st.text("aeiouychkptsxzqjw -'éüАаийщёяъ", max_size=60))
def test_spellings_are_few_distinct_and_the_same_each_time(name: str) -> None:
    found = respellings(name)
    assert found == respellings(name)
    assert len(found) <= 1 + MOST_BY_EAR + 2 * MOST_IN_LETTERS
    folded = [tuple(fold_words(one)) for one in (name, *found)]
    assert len(set(folded)) == len(folded)
