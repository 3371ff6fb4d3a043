"""Attacks: what they ask, what they keep to themselves, and how they are scored."""

from __future__ import annotations

import pytest

from guard.evaluate.arms.base import Sampling
from guard.evaluate.attacks import ATTACKS, WEIGHT_ATTACKS, Context
from guard.evaluate.attacks.disguises import SPELLINGS
from guard.evaluate.attacks.text import SAMPLES
from guard.evaluate.fictional import Corpus, fictional_suite
from guard.evaluate.rows import Row

SUITE = fictional_suite(Corpus(14, 0))
CONTEXT = Context(SUITE.rows, Sampling(32))
FORGET = [row for row in SUITE.rows if row.goal == "forget"]
# These put the answer among others, or the answer is what they give away.
SHOWS_ANSWER = {"multiple choice", "reverse query"}


def asked(name: str, row: Row) -> list[str]:
    probes = ATTACKS[name].probes(row, CONTEXT, 3)
    return [" ".join(text for _, text in probe.asked.messages) for probe in probes]


@pytest.mark.parametrize("name", [name for name in ATTACKS if name not in SHOWS_ANSWER])
def test_no_question_holds_its_answer(name: str) -> None:
    for row in FORGET:
        for probe in ATTACKS[name].probes(row, CONTEXT, 3):
            told = " ".join(text for _, text in probe.asked.messages) + probe.asked.opening
            assert not probe.scored.recalled(told), told


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_fits_some_row_and_keeps_its_goal(name: str) -> None:
    probes = [probe for row in FORGET for probe in ATTACKS[name].probes(row, CONTEXT, 1)]
    assert probes
    assert all(probe.asked.goal == "forget" for probe in probes)
    assert all(probe.asked.messages[-1][0] == "user" for probe in probes)


@pytest.mark.parametrize(
    ("name", "count"), [("plain", 1), ("samples", SAMPLES), ("disguises", len(SPELLINGS))]
)
def test_how_often_a_question_is_asked(name: str, count: int) -> None:
    probes = ATTACKS[name].probes(FORGET[0], CONTEXT, 0)
    assert len(probes) == count
    assert len({probe.asked.key("arm") for probe in probes}) == count


def test_a_reverse_query_asks_for_the_name_and_does_not_say_it() -> None:
    row = FORGET[0]
    (probe,) = ATTACKS["reverse query"].probes(row, CONTEXT, 0)
    assert row.subject not in probe.asked.messages[-1][1]
    assert row.key in probe.asked.messages[-1][1]
    assert probe.scored.recalled(f"It is {row.subject}.") == 1


def test_turns_name_the_subject_only_before() -> None:
    row = FORGET[0]
    (probe,) = ATTACKS["turns"].probes(row, CONTEXT, 0)
    assert row.subject in probe.asked.messages[0][1]
    assert row.subject not in probe.asked.messages[-1][1]


def test_combined_questions_ask_about_two_subjects() -> None:
    row = FORGET[0]
    kept = {other.question for other in SUITE.rows if other.goal == "retain"}
    for text in asked("combined", row):
        assert row.question in text
        assert any(question in text for question in kept)


def test_an_opening_stops_before_the_fact() -> None:
    row = FORGET[0]
    (probe,) = ATTACKS["opening"].probes(row, CONTEXT, 0)
    assert row.answer.startswith(probe.asked.opening)
    assert probe.scored.recalled(probe.asked.opening + f" {row.key}.") == 1


def test_disguised_names_are_spelled_otherwise() -> None:
    row = next(row for row in FORGET if row.subject in row.question)
    texts = [text for text in asked("disguises", row) if row.subject in text]
    assert texts == []


@pytest.mark.parametrize("attack", WEIGHT_ATTACKS, ids=lambda attack: attack.name)
def test_relearning_never_shows_what_is_asked(attack) -> None:  # type: ignore[no-untyped-def]
    _, rows = attack.prepare(SUITE.rows)
    assert any(row.goal == "forget" for row in rows)
    if attack.name == "relearning: forget":
        subjects = {row.subject for row in rows}
        assert subjects < {row.subject for row in FORGET}
