"""`bench.distil` reads a run at a budget as the trainer ends it, and its page shows its results."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from bench.distil import RESULT
from bench.distil_budgets import ended
from bench.distil_rates import RATES, best, worst, write
from bench.distil_report import MARK, PAGE, render
from bench.distil_world import CALIBRATIONS
from bench.report import filled
from guard.distil.probe import Probe
from guard.distil.recipe import shipped_recipes

RATES_FOUND = json.loads(RATES.read_text("utf-8"))
RESULT_FOUND = json.loads(RESULT.read_text("utf-8"))


def as_the_trainer(
    losses: list[float], allowed: float, patience: int, done: list[bool]
) -> int | None:
    """`Trainer.run`, `Looks.look` and `Probe.look`, without weights."""
    probe = Probe((), budget=allowed, floor=1.0)
    for index, loss in enumerate(losses):
        within = loss <= probe.allowed
        probe.over = 0 if within else probe.over + 1
        if within:
            probe.best_step = index + 1
            if done[index]:
                break
        if probe.over >= patience:
            break
    return probe.best_step - 1 if probe.best_step else None


@pytest.mark.parametrize("seed", range(50))
def test_a_run_read_at_a_budget_ends_where_the_trainer_would_end_it(seed: int) -> None:
    draw = random.Random(seed)
    losses = [draw.random() for _ in range(24)]
    allowed, patience = draw.random(), draw.randint(1, 6)
    done = [draw.random() < seed / 100 for _ in losses]
    found = ended(losses, allowed, patience, done)
    assert found == as_the_trainer(losses, allowed, patience, done)


def test_a_run_that_comes_back_after_its_patience_is_over_has_ended_before() -> None:
    assert ended([0.0, 0.9, 0.9, 0.0], 0.5, patience=2) == 0
    assert ended([0.0, 0.9, 0.9, 0.0], 0.5, patience=3) == 3
    assert ended([0.9, 0.9], 0.5, patience=5) is None
    assert ended([0.9, 0.0, 0.0], 0.5, 5, [True, False, True]) == 2, "forgotten past the budget"
    assert ended([0.0, 0.0, 0.0], 0.5, 5, [False, True, False]) == 1


def test_a_choice_that_was_not_run_on_every_calibration_world_stands_behind_those_that_were() -> (
    None
):
    row = {"factor": 1.0, "own": {}, "reference": 0.7, "forget": 0.1, "hidden": 1.0}
    bad = {**row, "factor": 3.0, "hidden": 0.5}
    (_, alone), (_, everywhere) = worst([row, *[bad] * len(CALIBRATIONS)]).items()
    assert alone < everywhere < 0


def test_of_choices_that_are_equal_on_their_worst_world_the_best_on_all_is_taken() -> None:
    row = {"factor": 1.0, "own": {}, "reference": 0.7, "forget": 0.7, "hidden": 0.9}
    better = {**row, "factor": 3.0, "forget": 0.6, "hidden": 1.0}
    worse = {**row, "factor": 9.0, "forget": 0.75, "hidden": 1.0}
    others = len(CALIBRATIONS) - 1
    rows = [row, row | {"factor": 3.0}, worse, *[row, better, worse | {"forget": 0.0}] * others]
    assert best(rows) == (3.0, "{}")


def test_of_choices_that_are_equal_on_all_worlds_the_one_that_its_goal_ends_is_taken() -> None:
    row = {"factor": 1.0, "own": {}, "reference": 0.7, "forget": 0.7, "hidden": 0.9}
    ends = [{"train.until_forgotten": 0.0}, {"train.until_forgotten": 0.0}]
    ends[1] |= {"train.retain_budget": 0.5}
    rows = [row | {"own": own} for own in ({}, *ends) for _ in CALIBRATIONS]
    assert json.loads(best(rows)[1]) == ends[1]
    looser = row | {"own": {"train.retain_budget": 0.5}}
    assert best([row, row, looser, looser]) == (1.0, "{}")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    rows = RATES_FOUND["rows"][:3]
    for some in (rows, []):
        write(tmp_path / "rates.json", some)
        assert json.loads((tmp_path / "rates.json").read_text("utf-8"))["rows"] == some


def test_the_page_shows_the_results() -> None:
    assert filled(PAGE, render(RESULT_FOUND), MARK) == PAGE.read_text("utf-8")


def test_no_world_of_the_table_was_used_to_choose() -> None:
    tried = {row["seed"] for row in RATES_FOUND["rows"]}
    assert tried == set(CALIBRATIONS)
    assert not tried & {row["seed"] for row in RESULT_FOUND["rows"]}


def test_every_recipe_has_a_strength_and_every_row_says_its_own() -> None:
    assert set(RATES_FOUND["chosen"]) == set(shipped_recipes())
    rows = [row for row in RESULT_FOUND["rows"] if row["arm"] in shipped_recipes()]
    assert rows and all("train.lr" in row["settings"] for row in rows)
