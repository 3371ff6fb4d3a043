"""Which cells of a comparison say anything."""

from __future__ import annotations

import pytest

from guard.evaluate.cells import GUESSING, Cell, with_signal
from guard.evaluate.metrics.bounds import Interval
from guard.evaluate.rows import Goal


def cell(arm: str, value: float | None, goal: Goal = "forget", attack: str = "plain") -> Cell:
    interval = None if value is None else Interval(value, value, value)
    return Cell(arm, "suite", "part", goal, attack, "text", "variant", interval, 4, 4)


@pytest.mark.parametrize(
    ("goal", "bare", "never", "signal", "guessing"),
    [
        ("forget", 1.0, 0.0, True, False),
        ("forget", 0.7, 0.3, True, False),
        ("forget", 0.6, 0.0, False, False),  # not known enough
        ("forget", 1.0, 0.5, False, True),  # who never saw it says as much
        ("forget", 0.6, 0.5, False, False),
        ("retain", 1.0, 1.0, True, False),  # everybody was told of it
        ("forget", None, 0.0, False, False),
        ("forget", 1.0, None, True, False),
    ],
)
def test_a_cell_says_something_where_only_who_was_told_knows(
    goal: Goal, bare: float | None, never: float | None, signal: bool, guessing: bool
) -> None:
    arms = {"bare": bare, "never": never, "guard": 0.5}
    cells = [cell(arm, value, goal) for arm, value in arms.items()]
    found = with_signal(cells, "bare", "never")
    assert {(one.signal, one.guessing) for one in found} == {(signal, guessing)}
    assert all((one.why == GUESSING) is guessing for one in found)


def test_without_a_model_that_never_saw_it_nothing_is_a_guess() -> None:
    found = with_signal([cell("bare", 1.0), cell("never", 1.0)], "bare")
    assert all(one.signal and not one.guessing for one in found)


def test_an_attack_is_judged_by_itself() -> None:
    known, guessed = with_signal(
        [cell("bare", 1.0), cell("bare", 1.0, attack="disguises"),
         cell("never", 0.0), cell("never", 1.0, attack="disguises")], "bare", "never",
    )[:2]  # fmt: skip
    assert known.signal and guessed.guessing
