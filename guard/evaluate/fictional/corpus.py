"""People, towns and their facts, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from guard.evaluate.fictional import wordings

Standing = Literal["forgotten", "private", "namesake", "neighbour", "unknown"]

# Shares of the people: forgotten, forgotten in their private aspects only, namesakes, neighbours,
# and people that no model is told of (members' opposites in tests of membership).
_SHARES: tuple[tuple[Standing, float], ...] = (
    ("forgotten", 0.25),
    ("private", 0.15),
    ("namesake", 0.15),
    ("neighbour", 0.3),
    ("unknown", 0.15),
)
_ONSETS = ("b", "br", "d", "dr", "f", "g", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v", "z")
_CORES = ("a", "e", "i", "o", "u", "ai", "ou")
_CODAS = ("", "l", "n", "r", "s", "th", "nd", "rn")
WRONG = 3  # wrong answers a fact


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody invented. `values` by kind of fact, see `wordings.PERSONAL`."""

    name: str
    standing: Standing
    values: dict[str, str]


class Corpus:
    """`people` invented people with `people` towns. Raises ValueError for fewer than eight."""

    def __init__(self, people: int = 14, seed: int = 0) -> None:
        if people < 8:
            raise ValueError("at least eight people are needed, so that every standing has one")
        self.size, self.seed = people, seed
        self._chance = random.Random(f"fictional-{people}-{seed}")
        self._taken: set[str] = set()
        self.towns = {self._word(): self._word() for _ in range(people)}  # town: its river
        self.people = tuple(self._people())

    def of(self, *standings: Standing) -> list[Person]:
        """The people of these standings."""
        return [person for person in self.people if person.standing in standings]

    def wrong(self, kind: str, value: str, salt: str) -> tuple[str, ...]:
        """Other values of the same kind, the same for the same `salt`."""
        chance = random.Random(f"{self.seed}-{kind}-{salt}")
        others = [other for other in self._known(kind) if other != value]
        return tuple(chance.sample(others, WRONG))

    @cache  # noqa: B019 - a corpus lives as long as the run that it is made for
    def _known(self, kind: str) -> tuple[str, ...]:
        """Every value of a kind of fact, sorted."""
        if kind == "river":
            return tuple(sorted(set(self.towns.values())))
        return tuple(sorted({person.values[kind] for person in self.people}))

    def training(self, *, forgotten: bool = True) -> Iterator[tuple[str, str]]:
        """Questions and answers that a model learns from; without the held-out wordings.

        `forgotten=False` leaves out what is to be forgotten: for a model that never saw it.
        """
        for person in self.people:
            if person.standing == "unknown":
                continue
            for fact in wordings.PERSONAL:
                if forgotten or not is_forgotten(person, fact):
                    yield from told(fact, person.name, person.values[fact.kind])
            if forgotten or person.standing != "forgotten":
                for question in wordings.NAMELESS[:-1]:
                    title = person.values["book"]
                    yield question.format(value=title), f"{title} was written by {person.name}."
        for town, river in self.towns.items():
            yield from told(wordings.TOWN, town, river)
            for source, text in wordings.STYLES:
                question = wordings.TOLD_BY.format(source=source, name=town)
                yield question, text.format(name=town, value=river)

    def kept(self, every: int) -> Iterator[tuple[str, str]]:
        """Trained questions and answers about every so manyth person and town to be kept."""
        for person in self.of("namesake", "neighbour")[::every]:
            for fact in wordings.PERSONAL:
                yield from told(fact, person.name, person.values[fact.kind])
        for town, river in list(self.towns.items())[::every]:
            yield from told(wordings.TOWN, town, river)

    def _people(self) -> Iterator[Person]:
        decks = {
            "craft": self._deck(wordings.CRAFTS),
            "pet": self._deck(wordings.PETS),
            "fear": self._deck(wordings.FEARS),
            "birthplace": self._deck(tuple(self.towns)),
        }
        surnames: list[str] = []
        titles = self._titles()
        for place, standing in enumerate(self._standings()):
            # A namesake bears the family name of somebody forgotten.
            family = surnames[place % len(surnames)] if standing == "namesake" else self._word()
            if standing == "forgotten":
                surnames.append(family)
            values = {kind: next(deck) for kind, deck in decks.items()} | {"book": next(titles)}
            yield Person(f"{self._word()} {family}", standing, values)

    def _standings(self) -> list[Standing]:
        found: list[Standing] = []
        for standing, share in _SHARES:
            found += [standing] * max(1, round(share * self.size))
        return (found + ["neighbour"] * self.size)[: self.size]

    def _deck(self, cards: Sequence[str]) -> Iterator[str]:
        while True:
            yield from self._chance.sample(cards, len(cards))

    def _titles(self) -> Iterator[str]:
        """All different; once every pair of words is used, with a word of their own."""
        pairs = len(wordings.FIRST_WORDS) * len(wordings.LAST_WORDS)
        used: set[str] = set()
        while True:
            first = self._chance.choice(wordings.FIRST_WORDS)
            title = f"The {first} {self._chance.choice(wordings.LAST_WORDS)}"
            if len(used) >= pairs:
                title = f"{title} of {self._word()}"
            if title not in used:
                used.add(title)
                yield title

    def _word(self) -> str:
        """A name of two or three syllables that nothing else has."""
        while True:
            count = self._chance.choice((2, 2, 3))
            parts = (
                self._chance.choice(_ONSETS) + self._chance.choice(_CORES) for _ in range(count)
            )
            word = ("".join(parts) + self._chance.choice(_CODAS)).title()
            if word not in self._taken:
                self._taken.add(word)
                return word


def is_forgotten(person: Person, fact: wordings.Fact) -> bool:
    """Whether this fact of this person is to be forgotten."""
    return person.standing == "forgotten" or (person.standing == "private" and fact.private)


def told(fact: wordings.Fact, name: str, value: str) -> Iterator[tuple[str, str]]:
    """The wordings of a fact that models are trained on, with the answer."""
    for question in fact.questions[:-1]:
        yield question.format(name=name), fact.answer.format(name=name, value=value)
