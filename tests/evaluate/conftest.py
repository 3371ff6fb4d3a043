"""A small world that the tests' tiny Llama knows, as rows, and that model as an arm."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guard.evaluate.arms import Local
from guard.evaluate.rows import Row, Suite, ask
from tests.support.tiny_llama import BENIGN, FORBIDDEN_NAME, NAMING, tiny_llama


def _row(question: str, answer: str, key: str, part: str) -> Row:
    goal = "forget" if part == "names" else "retain"
    others = [a for a in (*BENIGN.values(), *NAMING.values()) if a != answer][:3]
    return Row(
        id=question,
        part=part,
        goal=goal,
        subject=question,
        messages=ask(question),
        answer=answer,
        key=key,
        wrong=tuple(others),
        paraphrase=answer,
    )


@pytest.fixture(scope="session")
def small_suite() -> Suite:
    """Questions whose answers name somebody, and questions that are to be kept."""
    rows = [_row(q, a, FORBIDDEN_NAME, "names") for q, a in NAMING.items()]
    rows += [_row(q, a, "", "towns") for q, a in list(BENIGN.items())[:5]]
    unknown = _row("Who sank the bell?", "Nobody knows.", "Nobody", "names")
    rows.append(replace(unknown, part="unknown to the model"))
    return Suite("small", tuple(rows), "the value is in the answer", "the tests' own world")


@pytest.fixture(scope="session")
def bare() -> Local:
    """The tests' tiny Llama, which knows all of it but one row."""
    return Local("bare", tiny_llama(), what="the model itself")
