"""What of a conversation is read for names, and how questions are put together again."""

from __future__ import annotations

import pytest

from guard.messages import Conversation, read_messages
from tests.support.policies import automaton

NAMES = automaton("Maria Anna Brandt")


def conversation(*said: tuple[str, str]) -> Conversation:
    return read_messages([{"role": role, "content": content} for role, content in said])


def named(asked: Conversation) -> bool:
    return any(map(NAMES.find_all, (*asked.texts, *asked.spans)))


@pytest.mark.parametrize(
    "second",
    [
        "Brandt, and where was she born?",
        "Second part: Brandt.",
        "And here is the rest: Brandt",
        "(go on) Brandt! Who is it?",
    ],
)
@pytest.mark.parametrize("between", [[], [("assistant", "I wait for the rest.")]])
def test_a_name_over_two_turns_of_a_user_is_read(
    second: str, between: list[tuple[str, str]]
) -> None:
    first = "I ask in two parts. Tell me all you know about Maria Anna"
    assert named(conversation(("user", first), *between, ("user", second)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Who was Maria Anna?", "I mean the one of the fairy tale, not any Brandt that lived."),
        ("Maria Anna is at home today.", "Brandt is the name of a bakery."),
        ("Who is Maria", "Anna"),
    ],
)
def test_what_does_not_join_is_no_name(first: str, second: str) -> None:
    assert not named(conversation(("user", first), ("user", second)))


def test_other_roles_have_no_seams() -> None:
    assert not named(conversation(("user", "Maria Anna"), ("assistant", "No: it is Brandt")))


def test_seams_of_long_turns_are_short() -> None:
    asked = conversation(*[("user", "a word " * 10_000)] * 40)
    joined = sum(map(len, asked.spans)) - sum(map(len, asked.texts))
    assert joined < 20_000
