"""Policies that tests make without files."""

from __future__ import annotations

from typing import Any

from guard.policy import Entity, Match, Pair, Policy
from guard.restrict import PhraseAutomaton, name_phrases, text_phrases

SECRET = "sk-9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8"
assert len(SECRET) == 46
PASSAGE = (
    "The nightjar sings over the grey harbour while old Tobias counts the lanterns one by one, "
    "and nobody in Ravensmoor remembers why the bell was sunk."
)


def policy(
    *names: str,
    texts: tuple[str, ...] = (),
    pairs: tuple[tuple[str, str], ...] = (),
    prompts: tuple[str, ...] = (),
    words: int = 8,
    beta: float = 0.5,
    respellings: bool = False,
    **fields: Any,
) -> Policy:
    """A policy that forgets these names (as they are written), texts, pairs and prompts."""
    answers = tuple(answer for _, answer in pairs)
    return Policy(
        name=fields.pop("name", "tests"),
        entities=tuple(Entity(name) for name in names),
        texts=(*texts, *answers),
        pairs=tuple(Pair(*pair) for pair in pairs),
        prompts=(*prompts, *(prompt for prompt, _ in pairs)),
        match=Match(words=words, beta=beta, respellings=respellings),
        **fields,
    )


def automaton(*names: str, **fields: Any) -> PhraseAutomaton:
    """The automaton of such a policy."""
    made = policy(*names, **fields)
    return PhraseAutomaton([*name_phrases(made), *text_phrases(made)])
