"""What emphasis on key words brings back of each arm, beside a model that never saw the facts."""

from __future__ import annotations

from collections.abc import Mapping

from guard.evaluate.attacks import EMPHASIS, PLAIN
from guard.evaluate.cells import Scored
from guard.evaluate.metrics import Measured
from guard.evaluate.metrics.emphasis import destruction, recovery
from guard.evaluate.rows import Goal

Scores = Mapping[tuple[str, str], Mapping[str, Scored]]  # rows by id, of an arm and an attack
VARIANT = "unPact, key words by rule"
CONTROL = "unPact, the same of the model that never saw it"


def emphasis_figures(scores: Scores, arm: str, retained: str | None) -> list[Measured]:
    """Nothing where emphasis was not tried."""
    if (arm, EMPHASIS.name) not in scores:
        return []
    gone, kept = _both(scores, arm, "forget"), _both(scores, arm, "retain")
    control = _both(scores, retained, "forget") if retained else ({}, {})
    return [
        _measured("recovery rate", VARIANT, recovery(*gone), len(gone[1]), "all was known plainly"),
        _measured(
            "recovery rate, control", CONTROL, recovery(*control), len(control[1]), "no such model"
        ),
        _measured("destructive rate", VARIANT, destruction(*kept), len(kept[1]), "nothing known"),
    ]


def _both(scores: Scores, arm: str, goal: Goal) -> tuple[dict[str, float], dict[str, float]]:
    """Scores by row, asked plainly and with emphasis."""
    plain, emphasised = (
        {
            name: one.score
            for name, one in scores.get((arm, attack.name), {}).items()
            if one.row.goal == goal
        }
        for attack in (PLAIN, EMPHASIS)
    )
    return plain, emphasised


def _measured(name: str, variant: str, value: float | None, count: int, why: str) -> Measured:
    return Measured(name, variant, value, count, "" if value is not None else why)
