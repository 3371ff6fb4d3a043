"""Requests that fall under a case: one question or two, put in one of many forms."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from classifiers.training.templates import CALIBRATE, TRAIN
from guard.asked import Turn
from guard.reasoning.training import frames
from guard.reasoning.training.aspects import ASPECTS, Aspect
from guard.reasoning.training.cases import Case, Cases
from guard.reasoning.training.questions import (
    FOLLOWING,
    FOREIGN,
    INDIRECT,
    NAMED,
    REWORDED,
    Question,
)

Form = Literal[
    "direct", "indirect", "double", "split", "role", "pressure", "choice", "mixed", "foreign",
    "reworded",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """A conversation with what is known of it because we made it.

    `asked`: what it asks about, in order; `named`: whether it names the person; `innocent`: whether
    it also asks something that no policy covers; `templates`: every text that it was made from.
    """

    case: Case
    turns: tuple[Turn, ...]
    form: Form
    asked: tuple[Aspect, ...]
    named: bool
    innocent: bool = False
    language: str = ""
    templates: tuple[str, ...] = ()

    @property
    def covered(self) -> tuple[Aspect, ...]:
        """Of what it asks, what the policy forbids."""
        return tuple(one for one in self.asked if one in self.case.covered)

    @property
    def open(self) -> tuple[Aspect, ...]:
        """Of what it asks, what the policy leaves alone."""
        return tuple(one for one in self.asked if one not in self.case.covered)


class Asker:
    """Draws requests of one half."""

    def __init__(self, cases: Cases, draw: random.Random) -> None:
        self._cases = cases
        self._half = cases.half
        self._draw = draw
        general = TRAIN if self._half == "train" else CALIBRATE
        self._innocent = [one.text for one in general if one.kind == "general"]
        self._forms: Mapping[Form, Callable[[Case], Request | None]] = {
            "direct": self._direct,
            "indirect": self._indirect,
            "double": self._double,
            "split": self._split,
            "role": lambda case: self._wrapped(case, "role", frames.ROLES[self._half]),
            "pressure": lambda case: self._wrapped(case, "pressure", frames.PRESSURE[self._half]),
            "choice": self._choice,
            "mixed": self._mixed,
            "foreign": self._foreign,
        }

    def synthetic(self) -> Request:
        """A question of a drawn form about a drawn case."""
        while True:
            case = self._cases.one()
            form = self._draw.choice(list(self._forms))
            if (made := self._forms[form](case)) is not None:
                return made

    def reworded(self) -> Request:
        """A stored prompt of somebody who is all to be forgotten, in other words."""
        case = self._cases.author()
        question = self._draw.choice(REWORDED[self._half])
        return self._plain(case, question, "reworded")

    def _some(self, case: Case, among: Sequence[Question]) -> Question | None:
        """One of the questions that the policy has something to do with."""
        fitting = [one for one in among if one.aspect in case.covered]
        return self._draw.choice(fitting) if fitting else None

    def _plain(self, case: Case, question: Question, form: Form) -> Request:
        text = question.text.format(**case.slots)
        return Request(
            case, (Turn("user", text),), form, (question.aspect,), "{name}" in question.text,
            language=question.language, templates=(question.text,),
        )  # fmt: skip

    def _direct(self, case: Case) -> Request | None:
        if case.topic is not None:
            text = self._draw.choice(case.topic.on)
            turns = (Turn("user", text),)
            return Request(case, turns, "direct", ("topic",), False, templates=(text,))
        question = self._some(case, NAMED[self._half])
        return None if question is None else self._plain(case, question, "direct")

    def _indirect(self, case: Case) -> Request | None:
        # Who is described can be recognised by what only a policy on all of somebody covers.
        among = INDIRECT[self._half] if case.kind == "author" else ()
        question = self._some(case, among)
        return None if question is None else self._plain(case, question, "indirect")

    def _foreign(self, case: Case) -> Request | None:
        question = self._some(case, FOREIGN[self._half])
        return None if question is None else self._plain(case, question, "foreign")

    def _double(self, case: Case) -> Request | None:
        first = self._some(case, NAMED[self._half])
        if first is None:
            return None
        others = [one for one in NAMED[self._half] if one.aspect not in (first.aspect, "identity")]
        second = self._draw.choice(others)
        texts = [one.text.format(**case.slots) for one in (first, second)]
        return Request(
            case, (Turn("user", " ".join(texts)),), "double", (first.aspect, second.aspect), True,
            templates=(first.text, second.text),
        )  # fmt: skip

    def _split(self, case: Case) -> Request | None:
        following = self._some(case, FOLLOWING[self._half])
        if following is None:
            return None
        opener = self._draw.choice(frames.OPENERS[self._half])
        reply = self._draw.choice(frames.REPLIES[self._half])
        turns = (
            Turn("user", opener.format(**case.slots)),
            Turn("assistant", reply),
            Turn("user", following.text),
        )
        templates = (opener, reply, following.text)
        return Request(case, turns, "split", (following.aspect,), True, templates=templates)

    def _wrapped(self, case: Case, form: Form, among: Sequence[str]) -> Request | None:
        inner = self._direct(case)
        if inner is None:
            return None
        frame = self._draw.choice(among)
        text = frame.format(question=inner.turns[0].text)
        return Request(
            case, (Turn("user", text),), form, inner.asked, inner.named,
            templates=(frame, *inner.templates),
        )  # fmt: skip

    def _choice(self, case: Case) -> Request | None:
        question = self._some(case, NAMED[self._half])
        if question is None or case.person is None or not ASPECTS[question.aspect].slot:
            return None
        slot = ASPECTS[question.aspect].slot
        found = {case.slots[slot]: None}
        while len(found) < 3:
            found[self._cases.other(case.person).slots[slot]] = None
        a, b, c = self._draw.sample(list(found), 3)
        frame = self._draw.choice(frames.CHOICES[self._half])
        asked = question.text.format(**case.slots)
        text = frame.format(question=asked, a=a, b=b, c=c)
        return Request(
            case, (Turn("user", text),), "choice", (question.aspect,), True,
            templates=(frame, question.text),
        )  # fmt: skip

    def _mixed(self, case: Case) -> Request | None:
        inner = self._direct(case)
        if inner is None:
            return None
        frame = self._draw.choice(frames.MIXED[self._half])
        innocent = self._draw.choice(self._innocent)
        text = frame.format(question=inner.turns[0].text, innocent=innocent)
        return Request(
            case, (Turn("user", text),), "mixed", inner.asked, inner.named, innocent=True,
            templates=(frame, innocent, *inner.templates),
        )  # fmt: skip
