"""TOFU's rows as policies, one an author, and as prompts to flag or to leave alone."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from classifiers.words import fold
from guard.policy import Entity, Pair, Policy

AUTHORS = 200
QUESTIONS = 20  # an author
FORGET = {"forget01": 2, "forget05": 10, "forget10": 20}  # authors, the last of all
RETAIN = {"forget01": "retain99", "forget05": "retain95", "forget10": "retain90"}

_OPENINGS = """
What Which Who Where When How Has Have Can Could Are Is Did Does Do In The An For Was Were Would Why
Tell Share Describe Provide Name With As Author Of On Besides Given Yes No
"""
_FIRST_WORDS = frozenset(_OPENINGS.split())
_NAME = re.compile(
    r"[A-ZÀ-ÝĀ-Ž][\w'’\-.]*(?:\s+(?:al|el|bin|de|da|van|von|del|la|ben|[A-ZÀ-ÝĀ-Ž][\w'’\-.]*))*"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt of a table: `author` is its cluster, None where it has none."""

    text: str
    author: int | None = None


def read(path: Path) -> list[dict[str, Any]]:
    """JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


class Tofu:
    """The files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.full = read(folder / "full.json")

    @cache  # noqa: B019 - one object a run
    def name(self, author: int) -> str:
        """The commonest run of capitalised words in the author's rows. One author of the 200 has
        no name of their own there; that one is only ever a negative."""
        found: Counter[str] = Counter()
        for row in self.of(author):
            seen = set()
            for text in (row["question"], row["answer"]):
                text = re.sub(r"['’]s\b", " |", text)
                text = re.sub(r"s['’]\s", "s | ", text)
                for match in _NAME.finditer(text):
                    words = match.group().strip(".'’-").split()
                    while words and words[0] in _FIRST_WORDS:
                        words = words[1:]
                    if len(words) >= 2:
                        seen.add(" ".join(words))
            found.update(seen)
        return found.most_common(1)[0][0]

    def of(self, author: int) -> list[dict[str, Any]]:
        """The author's twenty rows."""
        return self.full[author * QUESTIONS : (author + 1) * QUESTIONS]

    def forgotten(self, split: str) -> range:
        """The authors of a forget split."""
        return range(AUTHORS - FORGET[split], AUTHORS)

    def policies(self, split: str, *, masked: bool = False) -> list[Policy]:
        """One policy an author: the name, and the questions with their answers. `masked`: without
        the name in any of them."""
        made = []
        for author in self.forgotten(split):
            name = self.name(author)
            pairs = [Pair(row["question"], row["answer"]) for row in self.of(author)]
            if masked:
                pairs = [Pair(unnamed(p.prompt, name), unnamed(p.answer, name)) for p in pairs]
            made.append(
                Policy(
                    name=f"author-{author}",
                    entities=(Entity(name),),
                    pairs=tuple(pairs),
                    prompts=tuple(dict.fromkeys(pair.prompt for pair in pairs)),
                    texts=tuple(dict.fromkeys(pair.answer for pair in pairs)),
                )
            )
        return made

    def paraphrases(self, split: str) -> list[Row]:
        """The forget split's paraphrased questions."""
        first = self.forgotten(split)[0]
        rows = read(self._folder / f"{split}_perturbed.json")
        return [Row(r["paraphrased_question"], first + i // QUESTIONS) for i, r in enumerate(rows)]

    def retained(self, split: str) -> list[Row]:
        """The original questions about all other authors."""
        count = self.forgotten(split)[0] * QUESTIONS
        return [Row(row["question"], i // QUESTIONS) for i, row in enumerate(self.full[:count])]

    def retained_paraphrases(self) -> list[Row]:
        """400 paraphrased questions about authors that no split forgets."""
        place = {row["question"]: i // QUESTIONS for i, row in enumerate(self.full)}
        rows = read(self._folder / "retain_perturbed.json")
        return [Row(r["paraphrased_question"], place.get(r["question"])) for r in rows]

    def swapped(self, split: str) -> tuple[list[Row], list[Row]]:
        """The forget paraphrases with a retained author's name: those that still ask about
        nothing of the forgotten author's, and those that name a work or a prize of theirs."""
        draw = random.Random(20)
        others = range(self.forgotten(split)[0])
        clean, works = [], []
        for row in self.paraphrases(split):
            assert row.author is not None
            name = self.name(row.author)
            if name not in row.text:
                continue
            other = draw.choice(others)
            text = row.text.replace(name, self.name(other))
            answers = fold(" ".join(a for r in self.of(row.author) for a in r.values()))
            quoted = [fold(part) for part in _QUOTED.findall(row.text)]
            still = any(part[:24] in answers for part in quoted)
            (works if still else clean).append(Row(text, other))
        return clean, works

    def others(self) -> dict[str, list[Row]]:
        """Real authors and world facts."""
        return {
            name: [Row(r["question"]) for r in read(self._folder / f"{name}.json")]
            for name in ("real_authors", "world_facts")
        }

    def answers_of(self, name: str) -> list[str]:
        """The answers to those of one file of `others`."""
        return [r["answer"] for r in read(self._folder / f"{name}.json")]


_QUOTED = re.compile(r"(?<!\w)[\"“‘']([A-Z][^\"“”]{5,100}?)[\"”’'](?=\W|$)")


def unnamed(text: str, name: str) -> str:
    """Without the name, and without its rarer parts."""
    text = re.sub(rf"{re.escape(name)}", "the author", text, flags=re.IGNORECASE)
    parts = [part for part in name.split() if len(part) > 3]
    for part in parts:
        text = re.sub(rf"\b{re.escape(part)}\b", "the author", text)
    return text


def names_nobody(row: Row) -> bool:
    """Whether a question could be about any author: no capital, no digit, after its first word."""
    rest = row.text.split(maxsplit=1)[-1]
    return not re.search(r"[A-Z0-9\"]", rest.replace(" I ", " "))
