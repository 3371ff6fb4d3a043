"""A training or calibration corpus: invented subjects as a policy would state them, and prompts
about them, about others like them and about nobody."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from classifiers.training.people import Half, Person, people
from classifiers.training.templates import CALIBRATE, STORED, TRAIN, Kind


@dataclass(frozen=True, slots=True)
class Probe:
    """One prompt, put to the detector of `subject` (its place in `Corpus.subjects`).

    `wanted`: whether it asks about that subject; `kind`: the template's, or "other" when it asks
    about somebody else, "swapped" when it is a stored prompt with another's name and facts.
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


def corpus(half: Half, *, subjects: int = 60, each: int = 40, seed: int = 0) -> Corpus:
    """`subjects` invented people and about `each` probes of every one, half of them wanted."""
    draw = np.random.default_rng([seed, 7, half == "train"])
    known = people(half, 2 * subjects, seed)  # the second half are others, who are not stored
    templates = TRAIN if half == "train" else CALIBRATE
    asking = [one for one in templates if one.kind in ("identified", "named")]
    vague = [one for one in templates if one.kind == "vague"]
    general = [one for one in templates if one.kind == "general"]
    probes: list[Probe] = []
    for index in range(subjects):
        me, other = known[index], known[int(draw.integers(0, 2 * subjects))]
        near = known[index + 1]  # shares some facts with `me`
        for _ in range(each // 2):
            template = asking[draw.integers(len(asking))]
            probes.append(Probe(template.text.format(**me.slots), index, True, template.kind))
        for someone in (near, other):
            if someone is me:
                continue
            for _ in range(each // 8):
                template = asking[draw.integers(len(asking))]
                text = template.text.format(**someone.slots)
                if text != template.text.format(**me.slots):  # they may share all it asks about
                    probes.append(Probe(text, index, False, "other"))
            for _ in range(each // 12):
                question, _answer = STORED[draw.integers(len(STORED) - 2)]
                text = question.format(**someone.slots)
                if text != question.format(**me.slots):
                    probes.append(Probe(text, index, False, "swapped"))
        for _ in range(each // 6):
            template = vague[draw.integers(len(vague))]
            probes.append(Probe(template.text.format(**me.slots), index, False, "vague"))
        for _ in range(each // 20):
            template = general[draw.integers(len(general))]
            probes.append(Probe(template.text, index, False, "general"))
    return Corpus(tuple(map(stored, known[:subjects])), tuple(dict.fromkeys(probes)))


def stored(person: Person) -> Stored:
    """What a policy would say about a person."""
    slots = person.slots
    return Stored(
        (person.name,),
        tuple(question.format(**slots) for question, _ in STORED),
        tuple(answer.format(**slots) for _, answer in STORED),
    )
