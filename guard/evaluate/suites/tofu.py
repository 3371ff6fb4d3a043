"""TOFU as a suite: a folder with its `*_perturbed.json` files. Source: Maini et al. (2024)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from guard.evaluate.rows import Goal, Row, Suite, ask
from guard.evaluate.suites.reading import read_rows, text_of

VARIANT = "ROUGE-L recall, stemmed"
_AUTHOR_ROWS = 20

Split = Literal["forget01", "forget05", "forget10"]


def tofu_suite(folder: Path, forget: Split = "forget01") -> Suite:
    """Forgotten authors, kept authors, real authors and world facts.

    Raises EvaluateError for files that are missing or of another shape.
    """
    rows = [
        *_rows(folder / f"{forget}_perturbed.json", "forgotten authors", "forget"),
        *_rows(folder / "retain_perturbed.json", "kept authors", "retain"),
        *_rows(folder / "real_authors_perturbed.json", "real authors", "retain", author_rows=1),
        *_rows(folder / "world_facts_perturbed.json", "world facts", "retain", author_rows=1),
    ]
    return Suite("tofu", tuple(rows), VARIANT, f"TOFU, {forget}")


def _rows(path: Path, part: str, goal: Goal, author_rows: int = _AUTHOR_ROWS) -> Iterator[Row]:
    for place, row in enumerate(read_rows(path)):
        other = row.get("paraphrased_question")
        wrong = row.get("perturbed_answer")
        yield Row(
            id=f"{path.stem}/{place}",
            part=part,
            goal=goal,
            subject=f"{part} {place // author_rows}",
            messages=ask(text_of(path, row, "question")),
            answer=text_of(path, row, "answer"),
            wrong=tuple(map(str, wrong)) if isinstance(wrong, list) else (),
            paraphrase=str(row.get("paraphrased_answer") or row["answer"]),
            alternatives=(other,) if isinstance(other, str) else (),
        )
