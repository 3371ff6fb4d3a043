"""Rows of a guard model's training: prompts as the server puts them, with good instructions."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from classifiers.training.people import Half
from guard.errors import GuardModelError
from guard.reasoning.prompts import guide_prompt
from guard.reasoning.training.asking import Asker, Request
from guard.reasoning.training.cases import Cases
from guard.reasoning.training.checking import checked
from guard.reasoning.training.settings import LEAST_PEOPLE, MOST_PEOPLE, DataSettings
from guard.reasoning.training.writer import Writer

_TRIES = 5  # requests for each row that is wanted
_IN_VAIN = 50  # requests in a row without one good instruction: the writer is of no use

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Example:
    """One row: a request and the instruction that is to be learned for it."""

    request: Request
    instruction: str

    @property
    def prompt(self) -> str:
        """Exactly what `guard serve` asks a guard model."""
        return guide_prompt(self.request.case.policy.reasoning.context, self.request.turns)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one half, and how many requests had no good instruction."""

    examples: tuple[Example, ...]
    rejected: int

    @property
    def hash(self) -> str:
        """Over prompts and instructions, in order."""
        rows = [[one.prompt, one.instruction] for one in self.examples]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def made(
    half: Half,
    settings: DataSettings,
    writer: Writer,
    progress: OnProgress = lambda label, done, total: None,
) -> Rows:
    """The rows to learn from ("train"), or those held out ("calibrate"): other people, other
    questions, other policy texts.

    Raises GuardModelError when people or good instructions don't suffice, and what the writer does.
    """
    if not LEAST_PEOPLE <= settings.people <= MOST_PEOPLE:
        raise GuardModelError(f"give between {LEAST_PEOPLE} and {MOST_PEOPLE:,} people")
    draw = random.Random(f"{settings.seed}/{half}")
    asker = Asker(Cases(half, settings.people, draw, settings.seed), draw)
    if half == "train":
        wanted = [asker.synthetic] * settings.synthetic + [asker.reworded] * settings.reworded
    else:
        # In the proportion of what is trained on.
        share = settings.reworded / max(1, settings.synthetic + settings.reworded)
        reworded = round(share * settings.held_out)
        wanted = [asker.synthetic] * (settings.held_out - reworded) + [asker.reworded] * reworded
    label = "rows to learn" if half == "train" else "held-out rows"
    if not wanted:
        raise GuardModelError("there are no rows to make: give more than 0")
    return _gathered(wanted, writer, lambda n: progress(label, n, len(wanted)))


def _gathered(
    wanted: Sequence[Callable[[], Request]], writer: Writer, done: Callable[[int], None]
) -> Rows:
    found: dict[str, Example] = {}
    rejected, in_vain, tries = 0, 0, 0
    while len(found) < len(wanted):
        if in_vain >= _IN_VAIN or tries >= _TRIES * len(wanted) + _IN_VAIN:
            raise GuardModelError(
                f"only {len(found)} of {len(wanted)} rows were made: of {tries} requests "
                f"{rejected} got no good instruction and others had been there before; give more "
                "people, or another writer"
            )
        tries += 1
        request = wanted[len(found)]()
        good = _first_good(writer(request), request)
        if good is None:
            rejected, in_vain = rejected + 1, in_vain + 1
            continue
        example = Example(request, good)
        in_vain = 0 if example.prompt not in found else in_vain + 1
        found.setdefault(example.prompt, example)
        done(len(found))
    return Rows(tuple(found.values()), rejected)


def _first_good(candidates: Sequence[str], request: Request) -> str | None:
    for text in candidates:
        look = checked(text, request)
        if look.good:
            return look.text
    return None
