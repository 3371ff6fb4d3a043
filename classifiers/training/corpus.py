"""A training or calibration corpus: invented subjects as a policy would state them, and prompts
about them, about others like them and about nobody."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from classifiers.training.people import Half, Person, people
from classifiers.training.templates import CALIBRATE, STORED, TRAIN, Kind, Template


@dataclass(frozen=True, slots=True)
class Probe:
    """One prompt, put to the detector of `subject` (its place in `Corpus.subjects`).

    `wanted`: whether it asks about that subject; `kind`: the template's, or "other" when it asks
    about somebody else, "shared" when that one has facts in common with the subject, "namesake"
    when the last name, "credited" when another is named beside the subject's facts, "swapped" when
    it is a stored prompt with another's name and facts.
    """

    text: str
    subject: int
    wanted: bool
    kind: Kind | str


@dataclass(frozen=True, slots=True)
class Stored:
    """One subject as a policy states it: names, prompts, answers."""

    names: tuple[str, ...]
    prompts: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Subjects and probes. `hash` names both, for a record of what a head was trained on."""

    subjects: tuple[Stored, ...]
    probes: tuple[Probe, ...]

    @property
    def hash(self) -> str:
        rows = [[one.names, one.prompts, one.answers] for one in self.subjects]
        rows += [[p.text, p.subject, p.wanted] for p in self.probes]  # type: ignore[list-item]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


# What two people may have in common, and stay two.
_FACTS = (("city", "country"), ("father",), ("mother",), ("genre",), ("year",))
_KINDS = ("other", "other", "shared", "shared", "namesake")


def corpus(half: Half, *, subjects: int = 300, each: int = 80, seed: int = 0) -> Corpus:
    """`subjects` invented people and about `each` probes of every one, a third of them wanted."""
    draw = np.random.default_rng([seed, 7, half == "train"])
    known = people(half, 2 * subjects, seed)  # the second half are others, who are not stored
    asker = _Asker(draw, TRAIN if half == "train" else CALIBRATE)
    probes: list[Probe] = []
    for index in range(subjects):
        me, other = known[index], known[int(draw.integers(0, 2 * subjects))]
        near = known[index + 1]  # shares some facts with `me`
        for _ in range(each // 3):
            template = asker.one(asker.asking)
            probes.append(Probe(template.text.format(**me.slots), index, True, template.kind))
        unwanted: list[tuple[str, str]] = []
        for someone in (near, other):
            if someone is not me:
                unwanted += asker.about_another(me, someone, each)
        if other is not me:
            unwanted += asker.credited_to(me, other.name, each // 80)
        for kind, count in (("vague", each // 6), ("chance", each // 6), ("general", each // 20)):
            unwanted += asker.about_nobody(me, kind, count)
        probes += [Probe(text, index, False, kind) for kind, text in unwanted]
    return Corpus(tuple(map(stored, known[:subjects])), tuple(dict.fromkeys(probes)))


class _Asker:
    """Draws prompts from the templates of one half, as (kind, text)."""

    def __init__(self, draw: np.random.Generator, templates: Sequence[Template]) -> None:
        self._draw = draw
        self._templates = templates
        self.asking = [one for one in templates if one.kind in ("identified", "named")]
        self._by_last_name = [one for one in self.asking if "{last}" in one.text]
        # A prize says who is meant whoever is named beside it.
        self._by_name = [
            one for one in self.asking if "{name}" in one.text and "{award}" not in one.text
        ]

    def one(self, among: Sequence[Template]) -> Template:
        """One of the templates."""
        return among[int(self._draw.integers(len(among)))]

    def about_another(self, me: Person, someone: Person, each: int) -> Iterator[tuple[str, str]]:
        """What is asked about someone else, who may have this or that in common with `me`."""
        for kind in _KINDS * (each // 16):
            text = self.one(self._by_last_name if kind == "namesake" else self.asking).text
            # Who is named is somebody else however much they have in common.
            count = 0 if kind == "other" else 2 if "{name}" in text else 1
            drawn = [_FACTS[at] for at in self._draw.permutation(len(_FACTS))[:count]]
            shared = ["last"] if kind == "namesake" else [key for fact in drawn for key in fact]
            asked = text.format(**someone.slots | {key: me.slots[key] for key in shared})
            # They may share all it asks about; of two trades it may not say whose is which.
            swap = {"father": me.mother, "mother": me.father}
            if asked not in (text.format(**me.slots), text.format(**me.slots | swap)):
                yield kind, asked
        for _ in range(each // 12):
            question, _answer = STORED[int(self._draw.integers(len(STORED) - 2))]
            asked = question.format(**someone.slots)
            if asked != question.format(**me.slots):
                yield "swapped", asked

    def credited_to(self, me: Person, name: str, count: int) -> Iterator[tuple[str, str]]:
        """What is asked about another, named, who has it in common: a book of the same title."""
        for _ in range(count):
            yield "credited", self.one(self._by_name).text.format(**me.slots | {"name": name})

    def about_nobody(self, me: Person, kind: str, count: int) -> Iterator[tuple[str, str]]:
        """What anybody may ask of anybody, with a fact that many share or with none."""
        among = [one for one in self._templates if one.kind == kind]
        for _ in range(count):
            yield kind, self.one(among).text.format(**me.slots)


def stored(person: Person) -> Stored:
    """What a policy would say about a person."""
    slots = person.slots
    return Stored(
        (person.name,),
        tuple(question.format(**slots) for question, _ in STORED),
        tuple(answer.format(**slots) for _, answer in STORED),
    )
