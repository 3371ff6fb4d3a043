"""Rows to forget and to keep, each traceable to the policy and the key that it came from."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Side(StrEnum):
    """What is to happen to a row."""

    FORGET = "forget"
    RETAIN = "retain"
    GENERAL = "general"


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt with its answer. Without a prompt it is a passage, learned as it stands.

    `policy` and `policy_hash` are empty on general rows; `source` is the dotted place, such as
    `forget.pairs[3]`; `wording` counts the paraphrases of one place, 0 being the original;
    `entity` groups rows of one subject (MELU's modules, clustered statistics); `answered_by` says
    whose the answer is: the policy's, the project's or the start model's own.
    """

    side: Side
    prompt: str | None
    answer: str
    policy: str
    policy_hash: str
    source: str
    entity: str = ""
    wording: int = 0
    answered_by: str = "policy"

    @property
    def id(self) -> str:
        """Where it came from, unique in a data set: `name/forget.pairs[3]#0`."""
        return f"{self.policy or 'general'}/{self.source}#{self.wording}"

    def saying(self, answer: str, by: str) -> Row:
        """The same row with another answer."""
        return replace(self, answer=answer, answered_by=by)

    def trace(self) -> dict[str, Any]:
        """What the manifest keeps: the origin and a digest, never the text."""
        text = json.dumps([self.prompt, self.answer]).encode()
        return {
            "id": self.id,
            "side": str(self.side),
            "policy": self.policy,
            "policy_hash": self.policy_hash,
            "answered_by": self.answered_by,
            "sha256": hashlib.sha256(text).hexdigest(),
        }


@dataclass(frozen=True, slots=True)
class Data:
    """Everything a method may learn from."""

    forget: tuple[Row, ...]
    retain: tuple[Row, ...] = ()
    general: tuple[Row, ...] = ()
    dropped: tuple[str, ...] = field(default=())  # ids of rows that stood on the wrong side
    held: tuple[Row, ...] = field(default=())  # kept rows that nothing is trained on

    def holding_out(self, share: float, seed: int) -> Data:
        """That share of the kept rows set aside, by the seed; few rows may give none."""
        keep = self.keep()
        order = list(range(len(keep)))
        random.Random(seed).shuffle(order)
        aside = set(order[: int(share * len(keep))])
        held = tuple(row for i, row in enumerate(keep) if i in aside)
        left = tuple(row for i, row in enumerate(keep) if i not in aside)
        if self.retain:
            return replace(self, held=held, retain=left)
        return replace(self, held=held, general=left)

    def keep(self, *, general: bool = False) -> tuple[Row, ...]:
        """The rows of the retain side: the policies' own, or else the general ones."""
        return self.general if general or not self.retain else self.retain

    @property
    def all(self) -> tuple[Row, ...]:
        """Every row, those held out too."""
        return (*self.forget, *self.retain, *self.general, *self.held)

    @property
    def hash(self) -> str:
        """Over the traces of all rows: the same data gives the same hash."""
        traces = [row.trace() for row in self.all]
        return hashlib.sha256(json.dumps(traces, sort_keys=True).encode()).hexdigest()
