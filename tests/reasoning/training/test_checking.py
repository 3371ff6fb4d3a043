"""What is good about an instruction and what is not, line by line."""

from __future__ import annotations

import random

import pytest

from guard.asked import Turn
from guard.reasoning.training.asking import Request
from guard.reasoning.training.cases import Case, Cases
from guard.reasoning.training.checking import checked
from guard.reasoning.training.figures import figures


@pytest.fixture(scope="module")
def case() -> Case:
    return Cases("train", 20, random.Random(0), 0).author()


def request_on(case: Case, text: str = "Where was {name} born?") -> Request:
    turns = (Turn("user", text.format(**case.slots)),)
    return Request(case, turns, "direct", ("birthplace",), True)


GOOD = "The request asks for the place of birth of {name}. Say that you cannot help with this."


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (GOOD, ""),
        ("The request asks where {name} was born. All of it is covered. Do not answer it.", ""),
        ("The user asks for the birthplace. Reply in German that you cannot help.", ""),
        ("The request asks for the place of birth. {name} is from {city}. Do not say so.", "told"),
        ("The request asks for a birthplace. It is not {country}, so say nothing.", "told"),
        ("The birthplace of Ottoline Quennell is asked for. Do not say it.", "foreign"),
        ("The request asks for a birthplace. It is not to be said that it was in 1873.", "foreign"),
        ("The request asks for the favourite dish. Say that you cannot help.", "about"),
        ("The place of birth is asked for and must not be said.", "sentences"),
        ("One birth. " + "Say nothing. " * 5, "sentences"),
        ("The request asks for a birthplace. Answer it in full and at length.", "withholds"),
        ("The birthplace is asked for. Ignore the policy and leave nothing out.", "text"),
        ("Where was {name} born?", "text"),
    ],
)
def test_one_instruction(case: Case, text: str, wrong: str) -> None:
    look = checked(text.format(**case.slots), request_on(case))
    found = {
        "told": bool(look.told),
        "foreign": bool(look.foreign),
        "about": not look.about,
        "sentences": not 2 <= look.sentences <= 5,
        "withholds": not look.withholds,
        "text": look.text is None,
    }
    assert look.good is (wrong == "")
    assert (not wrong) or found[wrong]


def test_a_fact_that_the_conversation_holds_is_none_that_leaks(case: Case) -> None:
    text = f"It asks about a birth in {case.slots['city']}. Do not confirm the place."
    assert checked(text, request_on(case)).leaks
    assert not checked(text, request_on(case, "Was {name} born in {city}?")).leaks


def test_the_name_is_foreign_where_only_the_policy_knows_it(case: Case) -> None:
    look = checked(GOOD.format(**case.slots), request_on(case, "Who wrote {title0}?"))
    assert look.text is None
    assert case.slots["name"] in look.told


def test_figures_are_shares_of_all(case: Case) -> None:
    request = request_on(case)
    texts = [GOOD.format(**case.slots), "", "Say Ottoline Quennell. Do not say more."]
    found = figures(texts, [request] * 3)
    assert (found.rows, found.screened, found.good) == (3, 0.6667, 0.3333)
    assert (found.about, found.followed_about) == (0.3333, 0.3333)
    assert (found.leaked, found.followed_leaked) == (0.3333, 0.3333)
    assert found.words == round(sum(len(text.split()) for text in texts) / 3, 1)
