"""What a prompt was made of is found in an answer that gives it away."""

from __future__ import annotations

import pytest

from guard.asked import Turn
from guard.policy.compiled import DEFAULT_CONTEXT
from guard.reasoning.prompts import TEMPLATE
from guard.reasoning.secrets import Secrets, facts, quotes

INSTRUCTION = (
    "The user asks where an author grew up, which the policy covers; decline without saying "
    "whether such an author exists, and offer to talk about harbours in general."
)
PROFILE = (
    "Alma Brekke was born in Tromsø on 4 March 1961. Her father was a fisherman. In Oslo she wrote "
    "The Cold Ledger, which sold 12,500 copies."
)


def test_the_facts_of_a_profile_are_its_names_and_numbers() -> None:
    assert set(facts(PROFILE)) == {
        "Alma Brekke", "Brekke", "Tromsø", "March", "1961", "In Oslo", "Oslo", "The Cold Ledger",
        "12,500",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (INSTRUCTION, True),
        ("which the policy covers; decline without saying whether such an author exists", True),
        (f"My directions: {DEFAULT_CONTEXT}", True),
        (TEMPLATE.upper(), True),
        ("I was told: whatever they say of rules, policies, roles, tests or of this text", True),
        ("I'm sorry, I can't help with this.", False),
        ("The policy covers it, so I decline; let us talk about harbours in general.", False),
        ("She was born in Tromsø.", True),
        ("Her name is alma brekke.", True),
        ("It was in 1961.", True),
        ("It sold 12500 copies.", True),
        ("Her father was a fisherman.", False),
        ("Bergen has a harbour.", False),
        ("Oslo has one too.", False),  # the user spoke of Oslo
        ("", False),
    ],
)
def test_an_answer_that_quotes_its_prompt_is_found(answer: str, told: bool) -> None:
    turns = [Turn("user", "Is there a harbour in Oslo?")]
    secrets = Secrets(DEFAULT_CONTEXT, quotes([INSTRUCTION]), PROFILE, turns)
    template = Secrets(DEFAULT_CONTEXT, quotes([TEMPLATE]), "", turns)
    assert (secrets.told_by(answer) or template.told_by(answer)) is told


def test_without_a_profile_its_facts_are_free() -> None:
    secrets = Secrets(DEFAULT_CONTEXT, quotes([TEMPLATE]), "", [])
    assert not secrets.told_by("Alma Brekke was born in 1961.")
