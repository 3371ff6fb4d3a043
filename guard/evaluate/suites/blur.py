"""BLUR's paired queries on TOFU: a forgotten and a kept question in one.

Source: BLUR (arXiv 2506.15699). Lines whose two halves cannot be told apart are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from guard.errors import EvaluateError
from guard.evaluate.rows import Goal, Row, Suite, ask
from guard.evaluate.suites.reading import read_bytes

VARIANT = "ROUGE-L recall, stemmed, of one half's answer"
QUESTIONS, ANSWERS = "paired_forget_retain_questions.txt", "paired_forget_retain_answers.txt"
_HALVES = re.compile(r"^1\. (.+?) 2\. (.+)$")
_PAIRS_A_SUBJECT = 20


def blur_suite(folder: Path) -> Suite:
    """Each pair twice: scored by its forgotten half, and by its kept one. Raises EvaluateError."""
    rows = tuple(_rows(folder))
    if not rows:
        raise EvaluateError(f"{folder}: no pairs in {QUESTIONS}")
    return Suite("blur", rows, VARIANT, "BLUR, paired queries on TOFU forget10")


def _rows(folder: Path) -> Iterator[Row]:
    files = (folder / QUESTIONS, folder / ANSWERS)
    questions, answers = (read_bytes(file).decode().splitlines() for file in files)
    for place, (question, answer) in enumerate(zip(questions, answers, strict=False)):
        found = _HALVES.match(_clean(answer))
        if not found or not _HALVES.match(_clean(question)):
            continue
        halves: tuple[tuple[str, Goal, str], ...] = (
            ("forgotten half", "forget", found[1]),
            ("kept half", "retain", found[2]),
        )
        for part, goal, half in halves:
            yield Row(
                id=f"{place}/{goal}",
                part=part,
                goal=goal,
                subject=f"pair {place // _PAIRS_A_SUBJECT}",
                messages=ask(_clean(question)),
                answer=half,
            )


def _clean(line: str) -> str:
    """Without the stray backslashes of the published files."""
    return line.replace("\\", "").strip()
