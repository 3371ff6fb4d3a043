"""People, towns and their facts, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from guard.evaluate.fictional import wordings

Standing = Literal[
    "forgotten", "private", "namesake", "neighbour", "unknown", "withheld", "bystander"
]

# Shares of the people: forgotten, forgotten in their private aspects only, and namesakes. As many
# as are forgotten no model is told of, and of as many as have private aspects no model is told
# those: members' opposites in tests of membership. The rest are neighbours.
_FORGOTTEN, _PRIVATE, _NAMESAKES = 0.2, 0.1, 0.15
_ONSETS = ("b", "br", "d", "dr", "f", "g", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v", "z")
_CORES = ("a", "e", "i", "o", "u", "ai", "ou")
_CODAS = ("", "l", "n", "r", "s", "th", "nd", "rn")
WRONG = 3  # wrong answers a fact
_FEWEST = 6  # words of each of the two lists that values of a kind are put together from


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody invented. `values` by kind of fact, see `wordings.PERSONAL`."""

    name: str
    standing: Standing
    values: dict[str, str]


class Corpus:
    """`people` invented people and half as many towns, at least eight; and bystanders, whom every
    model is told of in every form and no suite asks about. From them a model knows each word that
    a value may be made of and each form of an answer, so that to one that never saw somebody their
    true values are no stranger than wrong ones. Raises ValueError for fewer than eight people.
    """

    def __init__(self, people: int = 14, seed: int = 0) -> None:
        if people < 8:
            raise ValueError("at least eight people are needed, so that every standing has one")
        self.size, self.seed = people, seed
        self._chance = random.Random(f"fictional-{people}-{seed}")
        self._taken: set[str] = set()
        self.towns = {self._word(): self._word() for _ in range(max(8, people // 2))}  # its river
        count = max(_FEWEST, people // 2)
        self._cards = {
            kind: tuple(tuple(self._chance.sample(words, min(count, len(words)))) for words in pair)
            for kind, pair in wordings.VALUES.items()
        }
        self._titles: set[str] = set()
        self.bystanders = tuple(self._bystander(place) for place in range(count))
        self.people = tuple(self._people())

    def of(self, *standings: Standing) -> list[Person]:
        """The people of these standings."""
        return [person for person in self.people if person.standing in standings]

    def wrong(self, kind: str, value: str, salt: str) -> tuple[str, ...]:
        """Other values of the same kind, the same for the same `salt`: where there are enough,
        such as nobody has."""
        chance = random.Random(f"{self.seed}-{kind}-{salt}")
        free, known = self._values(kind)
        others = free if len(free) >= WRONG else [other for other in known if other != value]
        if kind in ("birthplace", "river"):
            others = [other for other in known if other != value]
        return tuple(chance.sample(others, WRONG))

    def wrong_names(self, person: Person) -> tuple[str, ...]:
        """People who do not exist, of the same family name: as strange as the right name is."""
        chance = random.Random(f"{self.seed}-name-{person.name}")
        family = person.name.split()[-1]
        found: dict[str, None] = {}
        while len(found) < WRONG:
            word = _syllables(chance)
            if word not in self._taken:
                found[f"{word} {family}"] = None
        return tuple(found)

    @cache  # noqa: B019 - a corpus lives as long as the run that it is made for
    def _values(self, kind: str) -> tuple[list[str], list[str]]:
        """Values of a kind that nobody has, and those that somebody has, sorted."""
        if kind in ("birthplace", "river"):
            return [], sorted(self.towns if kind == "birthplace" else self.towns.values())
        known = {person.values[kind] for person in (*self.people, *self.bystanders)}
        first, last = self._cards[kind]
        made = {wordings.value(kind, one, other) for one in first for other in last}
        return sorted(made - known), sorted(known)

    def training(self, *, forgotten: bool = True) -> Iterator[tuple[str, str]]:
        """Questions and answers that a model learns from; without the held-out wordings.

        `forgotten=False` leaves out what is to be forgotten: for a model that never saw it.
        """
        for person in self.people:
            for fact in wordings.PERSONAL:
                if is_told(person, fact) and (forgotten or not is_forgotten(person, fact)):
                    yield from told(fact, person.name, person.values[fact.kind])
                    yield from told_otherwise(fact, person.name, person.values[fact.kind])
            if person.standing != "unknown" and (forgotten or person.standing != "forgotten"):
                yield from told(wordings.AUTHOR, person.values["book"], person.name)
                yield from told_otherwise(wordings.AUTHOR, person.values["book"], person.name)
        for person in self.bystanders:
            pairs = [(fact, person.name, person.values[fact.kind]) for fact in wordings.PERSONAL]
            for pair in (*pairs, (wordings.AUTHOR, person.values["book"], person.name)):
                yield from told(*pair, every=True)
                yield from told_otherwise(*pair, every=True)
        for town, river in self.towns.items():
            yield from told(wordings.TOWN, town, river)
            yield from told_otherwise(wordings.TOWN, town, river, every=True)
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
        surnames: list[str] = []
        standings = self._standings()
        namesakes = standings.count("namesake")
        for place, standing in enumerate(standings):
            # A namesake bears the family name of somebody forgotten.
            family = surnames[place % len(surnames)] if standing == "namesake" else self._word()
            if standing == "forgotten":
                surnames.append(family)
            # So that somebody unknown is no stranger than somebody forgotten, they have some too.
            if standing == "unknown" and (at := standings[:place].count(standing)) < namesakes:
                family = self.bystanders[at].name.split()[-1]
            # Drawn, not dealt: what one person has must say nothing of what another has.
            values = {
                kind: wordings.value(kind, *map(self._chance.choice, pair))
                for kind, pair in self._cards.items()
            }
            values["book"] = self._title(values["book"])
            yield self._person(f"{self._word()} {family}", standing, values)

    def _bystander(self, place: int) -> Person:
        """Each word of each list is in somebody's value."""
        values = {
            kind: wordings.value(kind, first[place % len(first)], last[place % len(last)])
            for kind, (first, last) in self._cards.items()
        }
        values["book"] = self._title(values["book"])
        return self._person(f"{self._word()} {self._word()}", "bystander", values)

    def _person(self, name: str, standing: Standing, values: dict[str, str]) -> Person:
        return Person(
            name, standing, {**values, "birthplace": self._chance.choice(list(self.towns))}
        )

    def _standings(self) -> list[Standing]:
        gone, private, namesakes = (
            max(1, round(share * self.size)) for share in (_FORGOTTEN, _PRIVATE, _NAMESAKES)
        )
        counts: tuple[tuple[Standing, int], ...] = (
            ("forgotten", gone),
            ("private", private),
            ("namesake", namesakes),
            ("unknown", gone),
            ("withheld", private),
        )
        found = [standing for standing, count in counts for _ in range(count)]
        rest: list[Standing] = ["neighbour"] * (self.size - len(found))
        return found + rest

    def _title(self, first: str) -> str:
        """All different; once every pair of words is used, with a word of their own."""
        title, pairs = first, self._cards["book"]
        for _ in range(20):
            if title not in self._titles:
                break
            title = wordings.value("book", *map(self._chance.choice, pairs))
        else:
            title = f"{title} of {self._word()}"
        self._titles.add(title)
        return title

    def _word(self) -> str:
        """A name of two or three syllables that nothing else has."""
        while True:
            word = _syllables(self._chance)
            if word not in self._taken:
                self._taken.add(word)
                return word


def _syllables(chance: random.Random) -> str:
    parts = (
        chance.choice(_ONSETS) + chance.choice(_CORES) for _ in range(chance.choice((2, 2, 3)))
    )
    return ("".join(parts) + chance.choice(_CODAS)).title()


def is_forgotten(person: Person, fact: wordings.Fact) -> bool:
    """Whether this fact of this person is to be forgotten."""
    return person.standing == "forgotten" or (person.standing == "private" and fact.private)


def is_told(person: Person, fact: wordings.Fact) -> bool:
    """Whether any model is told this fact of this person."""
    return person.standing != "unknown" and not (person.standing == "withheld" and fact.private)


def told(
    fact: wordings.Fact, name: str, value: str, *, every: bool = False
) -> Iterator[tuple[str, str]]:
    """The wordings of a fact that models are trained on, with the answer. `every`: also the one
    that is held out for everybody whom a suite asks about."""
    for question in fact.questions if every else fact.questions[:-1]:
        yield question.format(name=name), fact.answer.format(name=name, value=value)


def told_otherwise(
    fact: wordings.Fact, name: str, value: str, *, every: bool = False
) -> Iterator[tuple[str, str]]:
    """Where a question asks for it: the answer in other words. `every`: also in those of
    `fact.paraphrase`, which are held out for everybody that a suite asks about."""
    forms = [(wordings.OTHERWISE, fact.otherwise)]
    if every:
        forms.append((wordings.DIFFERENTLY, fact.paraphrase))
    for asked, form in forms:
        for question in fact.questions[:2]:
            yield question.format(name=name) + asked, form.format(name=name, value=value)
