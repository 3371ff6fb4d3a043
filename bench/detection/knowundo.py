"""KnowUnDo's persons: of each some aspects are forgotten, and questions about others stay.

Half of the persons are for writing the aspects (as an operator would, in a few words) and for
teaching the arm that learns; only the other half are asked about.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from bench.detection.scoring import Guard, bounds
from bench.detection.tofu import Row
from classifiers import BatchedEncoder, Encoder
from guard.policy import Entity, Policy

# What an operator may write without a look at any question, and after a look at the first half's.
SHORT = ("contact details", "home address", "family and parents")
LONG = (
    "e-mail address", "contact details and how readers can reach them",
    "home address and where they live", "parents, father and mother",
    "what the parents do for a living", "how the parents and their professions influenced the work",
    "how the home and its address influence the work", "family background and private life",
    "how accessible they are to readers", "how they interact with their readers",
)  # fmt: skip
PLAIN = 0.8
_LEAST_ROWS = 6  # of a run of capitalised words that is a person's name
_NAME = re.compile(r"[A-Z][\w.'-]*(?:\s+[A-Z][\w.'-]*)+")
_FIRST = """
What Who Where How Which When Has Have Can Is Are Does Do Did Why
"""
_FIRST_WORDS = frozenset(_FIRST.split())


@dataclass(frozen=True, slots=True)
class Asked:
    """One question about `person`; `bare` is it without the name."""

    text: str
    person: str
    forgotten: bool

    @property
    def bare(self) -> str:
        return self.text.replace(self.person, "X")


def read(folder: Path) -> list[Asked]:
    """All questions, forgotten ones first."""
    rows = []
    for file, forgotten in (("privacy_unlearn_train", True), ("privacy_retention_train", False)):
        for row in json.loads((folder / f"{file}.json").read_text()):
            rows.append((row["text"].replace("’", "'"), forgotten))
    runs = Counter(run for text, _ in rows for run in _runs(text))
    names = sorted((r for r, n in runs.items() if n >= _LEAST_ROWS), key=len, reverse=True)
    return [
        Asked(text, next(name for name in names if name in text), forgotten)
        for text, forgotten in rows
    ]


def _runs(text: str) -> set[str]:
    apart = re.sub(r"s['’]\s", "s | ", re.sub(r"['’]s\b", " |", text))
    found = set()
    for match in _NAME.findall(apart):
        words = match.split()
        while words and words[0] in _FIRST_WORDS:
            words = words[1:]
        if len(words) >= 2:
            found.add(" ".join(words).strip(".,?"))
    return found


def halves(rows: Sequence[Asked]) -> tuple[list[Asked], list[Asked]]:
    """By person: those to write and teach with, and those to ask about."""
    people = sorted({row.person for row in rows})
    random.Random(0).shuffle(people)
    first = set(people[: len(people) // 2])
    return [r for r in rows if r.person in first], [r for r in rows if r.person not in first]


def table(folder: Path, encoder: Encoder, batched: BatchedEncoder) -> dict[str, Any]:
    """Every arm on the second half, on all its questions and on those whose wording (without the
    name) the first half does not have."""
    taught, asked = halves(read(folder))
    known = {row.bare for row in taught}
    new = [row.bare not in known for row in asked]
    arms = {
        "the name alone": [True] * len(asked),
        "plain similarity": _similar(taught, asked, encoder),
        "regression taught with retained rows": _regression(taught, asked, encoder),
        "ours, three aspects": _ours(SHORT, asked, batched),
        "ours, ten aspects": _ours(LONG, asked, batched),
    }
    result: dict[str, Any] = {}
    for name, flags in arms.items():
        result[name] = {
            "all questions": balanced(asked, flags),
            "new wordings": balanced(
                [r for r, is_new in zip(asked, new, strict=True) if is_new],
                [f for f, is_new in zip(flags, new, strict=True) if is_new],
            ),
        }
    return result


def _ours(aspects: tuple[str, ...], asked: Sequence[Asked], encoder: BatchedEncoder) -> list[bool]:
    people = sorted({row.person for row in asked})
    policies = [
        Policy(name=f"person-{number}", entities=(Entity(name, aspects=aspects),))
        for number, name in enumerate(people)
    ]
    verdicts = Guard(policies, encoder).ask([Row(row.text) for row in asked])
    return [verdict.flagged for verdict in verdicts]


def _similar(taught: Sequence[Asked], asked: Sequence[Asked], encoder: Encoder) -> list[bool]:
    """As near to a forgotten question of the other persons' as the shipped threshold."""
    stored = encoder.encode([row.text.replace(row.person, "the author") for row in taught
                             if row.forgotten])  # fmt: skip
    vectors = encoder.encode([row.text.replace(row.person, "the author") for row in asked])
    return [bool(near) for near in (vectors @ stored.T).max(axis=1) >= PLAIN]


def _regression(taught: Sequence[Asked], asked: Sequence[Asked], encoder: Encoder) -> list[bool]:
    """What a policy cannot have: retained questions to learn from."""
    rows = encoder.encode([row.text.replace(row.person, "the author") for row in taught])
    model = LogisticRegression(max_iter=2000, C=10, class_weight="balanced")
    model.fit(rows, [row.forgotten for row in taught])
    vectors = encoder.encode([row.text.replace(row.person, "the author") for row in asked])
    return [bool(flag) for flag in model.predict(vectors)]


def balanced(asked: Sequence[Asked], flags: Sequence[bool]) -> dict[str, Any]:
    """Flagged of forgotten and of retained questions, and balanced accuracy in percent with 95 %
    bounds (2,000 bootstrap samples of persons)."""
    people = sorted({row.person for row in asked})
    place = {person: number for number, person in enumerate(people)}
    counts = np.zeros((len(people), 4))  # flagged forgotten, forgotten, flagged retained, retained
    for row, flag in zip(asked, flags, strict=True):
        column = 0 if row.forgotten else 2
        counts[place[row.person], column : column + 2] += (flag, 1)

    def accuracy(total: np.ndarray) -> np.ndarray:
        return np.asarray(50 * (total[..., 0] / total[..., 1] + 1 - total[..., 2] / total[..., 3]))

    drawn = np.random.default_rng(0).integers(0, len(people), (2000, len(people)))
    low, high = np.percentile(accuracy(counts[drawn].sum(axis=1)), (2.5, 97.5))
    both = [
        bounds(
            [flag for row, flag in zip(asked, flags, strict=True) if row.forgotten is forgotten],
            [place[row.person] for row in asked if row.forgotten is forgotten],
        )
        for forgotten in (True, False)
    ]
    return {
        "forgotten": both[0],
        "retained": both[1],
        "balanced_accuracy": round(float(accuracy(counts.sum(axis=0))), 2),
        "low": round(float(low), 2),
        "high": round(float(high), 2),
    }
