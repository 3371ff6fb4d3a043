"""Names of a policy as phrases."""

from __future__ import annotations

from typing import Any

import pytest

from guard.policy import Entity, Match, Policy
from guard.restrict import PhraseAutomaton, mention_phrases, name_phrases

NAME = Entity("Harry Potter", ("The Boy Who Lived",))
LIMITED = Entity("Draco Malfoy", aspects=("home address",))


def policy(**fields: Any) -> Policy:
    return Policy("p", entities=(NAME, LIMITED), **fields)


def test_the_names_come_first_as_they_are_listed() -> None:
    first, second, *others = name_phrases(policy())
    assert [first.symbols, second.symbols] == [b"harry potter", b"the boy who lived"]
    assert first.mirrored
    assert second.mirrored
    assert b"harri potter" in {phrase.symbols for phrase in others}
    assert not any(phrase.mirrored for phrase in others)
    assert all(phrase.bounded and phrase.kind == "name" for phrase in others)


def test_an_alias_that_is_another_spelling_is_one_phrase() -> None:
    listed = Policy("p", entities=(Entity("Harry Potter", ("Harri Potter",)),))
    wholes = [phrase.whole for phrase in name_phrases(listed)]
    assert len(set(wholes)) == len(wholes)


def test_limited_entities_are_mentioned_in_other_spellings_too() -> None:
    mentioned = [(place, phrase.symbols.decode()) for place, phrase in mention_phrases(policy())]
    assert mentioned[0] == (1, "draco malfoy")
    assert (1, "драко мальфои") in mentioned


def test_respellings_can_be_switched_off() -> None:
    exact = policy(match=Match(respellings=False))
    assert [phrase.symbols for phrase in name_phrases(exact)] == [
        b"harry potter",
        b"the boy who lived",
    ]
    assert exact.hash != policy().hash


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Harri Potter wohnt in England", "Harri Potter"),
        ("Кто такой Гарри Поттер?", "Гарри Поттер"),
        ("h a r y  p o t e r", "h a r y  p o t e r"),
        ("Harry Pottery", ""),
        ("Harriet Potterman", ""),
        ("Barry Potter", ""),
    ],
)
def test_other_spellings_are_found_in_text(text: str, found: str) -> None:
    matches = PhraseAutomaton(name_phrases(policy())).find_all(text)
    assert [text[match.start : match.end] for match in matches] == ([found] if found else [])
