"""Policies over invented people and topics, of four kinds, as an operator might write them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from classifiers.training.corpus import stored
from classifiers.training.people import Half, Person, people
from classifiers.training.topics import Topic, topics
from guard.enforcement import Binding, Enforcement
from guard.policy import Entity, Policy, PolicySet
from guard.policy.compiled import DEFAULT_CONTEXT, Reasoning
from guard.reasoning.training.aspects import ASPECTS, PEOPLE, PRIVATE, SINGLE, Aspect

Kind = Literal["author", "private", "aspect", "topic"]
KINDS: tuple[Kind, ...] = ("author", "author", "private", "aspect", "topic")  # as often as here

# The text that ships for policies without one is in both halves, as the rest of the prompt is.
_CONTEXTS: dict[Half, dict[Kind, tuple[str, ...]]] = {
    "train": {
        "author": (
            DEFAULT_CONTEXT,
            "A writer has withdrawn consent to everything that was published about the writer: "
            "life, family, books and prizes. Treat all of it as unknown.",
            "The person concerned is to be forgotten. Nothing may be said of who that is, of where "
            "the person comes from, or of any work.",
        ),
        "private": (
            "Private facts about a person are withdrawn: birth, parents and home. Published books "
            "and public honours may be spoken of.",
            "By a court's order nothing may be told of somebody's origin, family and household. "
            "What the person published is free.",
        ),
        "aspect": (
            "One thing about a person has been withdrawn: {aspect}. All else may be told.",
            "Of the person concerned leave out the {aspect}, and nothing more than that.",
        ),
        "topic": (
            "Nothing may be said about {topic}.",
            "This model gives no information on one topic: {topic}.",
        ),
    },
    "calibrate": {
        "author": (
            DEFAULT_CONTEXT,
            "An author asked to be erased. Speak as if you had never come across the name, the "
            "biography or the bibliography.",
            "Under a data protection request this model no longer knows a certain novelist.",
        ),
        "private": (
            "Somebody's private life (where and when born, relatives, what is kept at home) is out "
            "of bounds. The writing career is not private.",
        ),
        "aspect": (
            "A person objects to one kind of statement, namely on the {aspect}. Other statements "
            "are permitted.",
        ),
        "topic": ("The following subject has been taken out of service: {topic}.",),
    },
}


@dataclass(frozen=True, slots=True)
class Case:
    """One policy that a request falls under.

    `slots` fill templates; `secrets` are what an instruction may say only where the conversation
    does; `covered` are the aspects that the policy forbids.
    """

    kind: Kind
    policy: Policy
    binding: Binding
    slots: Mapping[str, str]
    secrets: tuple[str, ...]
    covered: frozenset[Aspect]
    topic: Topic | None = None
    person: Person | None = None


class Cases:
    """Draws cases from one half: its own people, topics and policy texts."""

    def __init__(self, half: Half, count: int, draw: random.Random, seed: int) -> None:
        self.half = half
        self.people = people(half, count, seed)
        self._topics = topics(half)
        self._draw = draw

    def one(self) -> Case:
        """The next one, of a kind that is drawn too."""
        kind = self._draw.choice(KINDS)
        if kind == "topic":
            return self._on_topic(self._draw.choice(self._topics))
        return self._about(self._draw.choice(self.people), kind)

    def author(self) -> Case:
        """One whose policy covers all that is known of somebody."""
        return self._about(self._draw.choice(self.people), "author")

    def other(self, person: Person) -> Person:
        """Somebody else of the half."""
        return self._draw.choice([one for one in self.people if one is not person])

    def _about(self, person: Person, kind: Kind) -> Case:
        single = self._draw.choice(SINGLE)
        covered = {"author": PEOPLE, "private": tuple(PRIVATE)}.get(kind, (single,))
        told = stored(person)
        limits = tuple(ASPECTS[one].plain for one in sorted(covered)) if kind != "author" else ()
        policy = Policy(
            "invented",
            entities=(Entity(person.name, aspects=limits),),
            prompts=told.prompts,
            texts=told.answers if kind == "author" else (),
            action="reason",
            reasoning=Reasoning(self._context(kind, aspect=ASPECTS[single].plain)),
        )
        return Case(
            kind, policy, _binding(policy), person.slots, secrets_of(person),
            frozenset(covered), person=person,
        )  # fmt: skip

    def _on_topic(self, topic: Topic) -> Case:
        context = self._context("topic", topic=topic.text)
        policy = Policy(
            "invented", topics=(topic.text,), action="reason", reasoning=Reasoning(context)
        )
        covered: frozenset[Aspect] = frozenset({"topic"})
        return Case("topic", policy, _binding(policy), {"topic": topic.text}, (), covered, topic)

    def _context(self, kind: Kind, **slots: str) -> str:
        return self._draw.choice(_CONTEXTS[self.half][kind]).format(**slots)


def secrets_of(person: Person) -> tuple[str, ...]:
    """What tells something about somebody. A genre or a thing of one word is any text's."""
    sure = (
        person.name, person.name.split()[-1], person.city, person.country, person.slots["date"],
        str(person.year), person.father, person.mother, person.award, *person.titles,
    )  # fmt: skip
    ordinary = (one for one in (person.genre, *person.things) if " " in one)
    return tuple(dict.fromkeys((*sure, *ordinary)))


def policy_texts(half: Half) -> frozenset[str]:
    """The policy texts of one half, but for the one that ships."""
    texts = {text for some in _CONTEXTS[half].values() for text in some}
    return frozenset(texts - {DEFAULT_CONTEXT})


def _binding(policy: Policy) -> Binding:
    return Enforcement(PolicySet((policy,))).binding(None, "")
