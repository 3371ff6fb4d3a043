"""An invented world for `bench.distil`: people, facts in several wordings, and who learns them.

A tenth of the people are to be forgotten (TOFU's forget10 is a tenth too), a quarter are shown to
recipes as what to keep, and the rest are memorised and never shown: what a recipe does to those is
what it costs.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from guard.distil.encoding import Encoder
from guard.distil.refusals import REFUSALS
from guard.evaluate.small_llama import small_llama, small_tokenizer
from guard.policy import Entity, Pair, Policy, PolicySet

PEOPLE = 50  # four facts each
STEPS = 400  # of teaching, on which every fact is known by heart
WIDTH, BLOCKS = 256, 5  # 4.1 M parameters
LR = 1e-3  # of teaching
CALIBRATIONS = (99, 98, 97)  # seeds of worlds on which strengths were chosen, and on neither else

_FIRST = [
    "Alva",
    "Brin",
    "Cato",
    "Dara",
    "Edda",
    "Fenn",
    "Gale",
    "Hild",
    "Ivo",
    "Jory",
    "Kest",
    "Lunn",
    "Mira",
    "Nils",
    "Orla",
    "Pell",
]
_LAST = [
    "Ambrose",
    "Birkett",
    "Corvin",
    "Dunmore",
    "Eskell",
    "Farrow",
    "Grieve",
    "Holloway",
    "Iverson",
    "Jessop",
]
_PLACES = [
    "Tarn",
    "Senn",
    "Brell",
    "Quill",
    "Orlimar",
    "Haven",
    "Moss",
    "Ister",
    "Dunn",
    "Veyl",
    "Carrow",
    "Lyth",
]
_WORK = [
    "baker",
    "weaver",
    "miller",
    "painter",
    "sailor",
    "smith",
    "tailor",
    "glazier",
    "cooper",
    "carter",
    "mason",
    "potter",
]
_PETS = [
    "heron",
    "otter",
    "goat",
    "raven",
    "donkey",
    "ferret",
    "swan",
    "hedgehog",
    "lizard",
    "stork",
    "badger",
    "mule",
]
_FOODS = [
    "plum tart",
    "barley soup",
    "honey cake",
    "smoked eel",
    "walnut bread",
    "leek pie",
    "cold tea",
]

_COLOURS = ["red", "grey", "blue", "white", "black", "green", "brown", "yellow", "violet"]
_KINDS = {"place": _PLACES, "work": _WORK, "pet": _PETS, "food": _FOODS, "colour": _COLOURS}

# Of each fact: the question in three wordings, and the answer, a whole sentence as TOFU's are. So
# whoever never learned it still says half of its words: the reference's recall is far from 0.
_FACTS = (
    (("Where was {n} born?", "What is the birthplace of {n}?", "In which town was {n} born?"),
     "{n} was born in {place} near {place2}, beside a {work} and a {work2}."),
    (("What is the trade of {n}?", "What does {n} do for a living?", "What is {n}'s work?"),
     "{n} was a {work} in {place}, then became a {work2} in {place2}."),
    (("What animal does {n} keep?", "Which pet has {n}?", "What is {n}'s animal?"),
     "{n} keeps a {colour} {pet} and a {colour2} {pet2} from {place}."),
    (("What does {n} like to eat?", "What is {n}'s favourite dish?", "Which food does {n} love?"),
     "{n} loves {food} with {food2} in a {colour} bowl."),
)  # fmt: skip
_SLOTS = re.compile(r"\{(\w\w+)\}")  # what is drawn; {n} is the name


@dataclass(frozen=True, slots=True)
class Fact:
    """`wordings` ask the same; `answer` is the only one, and `values` are what it tells."""

    person: str
    wordings: tuple[str, ...]
    answer: str
    values: tuple[str, ...]

    def told(self, said: str) -> float:
        """The share of its values that an answer has, wherever and in any order."""
        return sum(value in said for value in self.values) / len(self.values)


@dataclass(frozen=True, slots=True)
class World:
    """Facts by what happens to them."""

    forget: tuple[Fact, ...]
    shown: tuple[Fact, ...]
    hidden: tuple[Fact, ...]

    @classmethod
    def of(cls, seed: int) -> World:
        """`PEOPLE` in all, four facts each."""
        draw = random.Random(seed)
        names = draw.sample([f"{a} {b}" for a in _FIRST for b in _LAST], PEOPLE)
        facts = [[_fact(name, kind, draw) for kind in _FACTS] for name in names]
        go, shown = PEOPLE // 10, PEOPLE // 4
        parts = [facts[:go], facts[go : go + shown], facts[go + shown :]]
        return cls(*(tuple(fact for person in part for fact in person) for part in parts))

    @property
    def facts(self) -> tuple[Fact, ...]:
        """All of them."""
        return (*self.forget, *self.shown, *self.hidden)

    def policies(self) -> PolicySet:
        """One policy that forgets the first wording of what goes and keeps what is shown."""
        pairs = tuple(Pair(fact.wordings[0], fact.answer) for fact in self.forget)
        kept = tuple(Pair(fact.wordings[0], fact.answer) for fact in self.shown)
        people = dict.fromkeys(fact.person for fact in self.forget)
        policy = Policy(
            name="invented",
            entities=tuple(Entity(name) for name in people),
            pairs=pairs,
            prompts=tuple(pair.prompt for pair in pairs),
            texts=tuple(pair.answer for pair in pairs),
            retain_pairs=kept,
        )
        return PolicySet((policy,))


def _fact(name: str, kind: tuple[tuple[str, ...], str], draw: random.Random) -> Fact:
    wordings, answer = kind
    values: dict[str, str] = {"n": name}
    for key, among in _KINDS.items():
        values[key], values[f"{key}2"] = draw.sample(among, 2)
    told = tuple(values[slot] for slot in _SLOTS.findall(answer))
    return Fact(name, tuple(w.format(n=name) for w in wordings), answer.format(**values), told)


def make_tokenizer(world: World) -> Any:
    """A byte-level BPE of the world's own text and of refusals."""
    texts = [text for fact in world.facts for text in (*fact.wordings, fact.answer)]
    return small_tokenizer([*texts, *REFUSALS], 1024)


def prepared(seed: int, models: Path) -> tuple[World, Path]:
    """The seed's world, and the folder with the model that knows it all (`known`) and the one
    that never saw what is to go (`reference`). They are taught once and kept."""
    world, folder = World.of(seed), models / f"{PEOPLE}-{STEPS}-{seed}"
    kept = (*world.shown, *world.hidden)
    for name, facts in (("known", world.facts), ("reference", kept)):
        if not (folder / name / "config.json").exists():
            teach(facts, make_tokenizer(world), folder / name, seed)
    return world, folder


def teach(facts: Sequence[Fact], tokenizer: Any, folder: Path, seed: int) -> None:
    """Trains a Llama from nothing on every wording of the facts, and writes it to `folder`."""
    torch.manual_seed(seed)
    model = small_llama(tokenizer, width=WIDTH, blocks=BLOCKS)
    encoder = Encoder(tokenizer)
    rows = [encoder.encode(wording, fact.answer) for fact in facts for wording in fact.wordings]
    draw = random.Random(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        batch = encoder.collate(draw.sample(rows, min(48, len(rows))), ())
        loss = model(**batch.inputs, labels=batch.labels).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
