"""Well-known facts to forget: `facts.csv`.

Rows for `calibrate` are for trying things on; figures are reported on those for `report` only.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_TABLE = Path(__file__).with_name("facts.csv")


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: neither its `names` nor its `text` may come out in answer to `question`.

    The first of `names` is the whole name; the others are shorter forms that give it away too.
    """

    question: str
    names: tuple[str, ...]
    text: str


def facts(use: Literal["calibrate", "report"]) -> list[Fact]:
    """The facts for one use, in the order of the table."""
    with _TABLE.open(newline="", encoding="utf-8") as file:
        return [
            Fact(row["question"], tuple(row["names"].split(";")), row["text"])
            for row in csv.DictReader(file)
            if row["use"] == use
        ]
