"""Files in the shape of other benchmarks, and rows of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from guard.errors import EvaluateError
from guard.evaluate.rows import Goal, Row, Suite, ask
from guard.evaluate.suites.reading import read_rows, text_of

_OPTIONS = "ABCDEFGH"


def _own(path: Path, place: int, row: dict[str, Any], goal: Goal) -> Row:
    """question, answer; and part, goal, subject, key, wrong, paraphrase, alternatives if given."""
    stated = row.get("goal", goal)
    if stated not in ("forget", "retain"):
        raise EvaluateError(f"{path}: a row's goal is {stated!r}, not forget or retain")
    return Row(
        id=str(row.get("id", place)),
        part=str(row.get("part", "all")) if "part" in row else stated,
        goal=stated,
        subject=str(row.get("subject", place)),
        messages=ask(text_of(path, row, "question", "prompt")),
        answer=text_of(path, row, "answer"),
        key=str(row.get("key", "")),
        wrong=tuple(map(str, row.get("wrong", ()))),
        paraphrase=str(row.get("paraphrase", "")),
        alternatives=tuple(map(str, row.get("alternatives", ()))),
    )


def _muse(path: Path, place: int, row: dict[str, Any], goal: Goal) -> Row:
    """MUSE's knowledge questions: question, answer."""
    question, answer = text_of(path, row, "question"), text_of(path, row, "answer")
    return Row(str(place), f"knowledge ({goal})", goal, str(place), ask(question), answer)


def _rwku(path: Path, place: int, row: dict[str, Any], goal: Goal) -> Row:
    """RWKU's probes: query, answer, subject; its blanks are asked as they are."""
    return Row(
        id=str(place),
        part=f"level {row['level']}" if "level" in row else f"probes ({goal})",
        goal=goal,
        subject=str(row.get("subject", place)),
        messages=ask(text_of(path, row, "query", "question")),
        answer=text_of(path, row, "answer"),
        key=text_of(path, row, "answer"),
    )


def _wmdp(path: Path, place: int, row: dict[str, Any], goal: Goal) -> Row:
    """WMDP's and MMLU's questions: question, choices, answer (the place of the right one)."""
    choices, right = row.get("choices"), row.get("answer")
    if not isinstance(choices, list) or not isinstance(right, int) or right >= len(choices):
        raise EvaluateError(f"{path}: a row needs choices and the place of the right one in answer")
    listed = "\n".join(f"{o}) {c}" for o, c in zip(_OPTIONS, choices, strict=False))
    return Row(
        id=str(place),
        part=f"multiple choice ({goal})",
        goal=goal,
        subject=str(place),
        messages=ask(f"{text_of(path, row, 'question')}\n{listed}\nWrite out the right option."),
        answer=str(choices[right]),
        key=str(choices[right]),
        wrong=tuple(str(choice) for at, choice in enumerate(choices) if at != right),
    )


SHAPES: dict[str, Callable[[Path, int, dict[str, Any], Goal], Row]] = {
    "rows": _own,
    "muse": _muse,
    "rwku": _rwku,
    "wmdp": _wmdp,
}


def shaped_suite(shape: str, path: Path, goal: Goal = "forget") -> Suite:
    """Rows of a file, JSON or JSON Lines, in one of `SHAPES`. Raises EvaluateError."""
    read = SHAPES[shape]
    rows = tuple(read(path, place, row, goal) for place, row in enumerate(read_rows(path)))
    keyed = all(row.key for row in rows)
    variant = "the value is in the answer" if keyed else "ROUGE-L recall where a row has no key"
    return Suite(path.stem, rows, variant, f"{path.name}, shape {shape}")
