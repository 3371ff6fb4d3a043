"""Every published figure of every arm: from answers, from probabilities, from weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guard.evaluate.answer_figures import Answered, answer_figures, rouge_sides
from guard.evaluate.dragon_figures import dragon_figures
from guard.evaluate.emphasis_figures import emphasis_figures
from guard.evaluate.metrics import Measured
from guard.evaluate.model_figures import model_figures
from guard.evaluate.muse_figures import muse_figures
from guard.evaluate.readings import Readings
from guard.evaluate.source_figures import source_figures
from guard.evaluate.weight_figures import weight_figures

if TYPE_CHECKING:
    from guard.evaluate.compare import Comparison

Progress = Callable[[str, int, int], None]


def all_figures(
    result: Comparison, progress: Progress, readings: Readings
) -> dict[str, list[Measured]]:
    """By arm, once every arm has been asked."""
    plan = result.plan
    plain = {name: _told(answered) for name, answered in result.plain.items()}
    bare = plain.get(plan.undefended, [])
    rouges = {name: sides for name, rows in plain.items() if (sides := rouge_sides(rows))}
    progress("reading probabilities", 0, 1)
    read = model_figures(plan.arms, plan.suites, plan.retained, plan.unseen, rouges, readings)
    forgotten = [row for s in plan.suites for row in s.rows if row.goal == "forget" and row.answer]
    found: dict[str, list[Measured]] = {}
    for place, arm in enumerate(plan.arms):
        progress("reading weights", place, len(plan.arms))
        answered, opened = plain.get(arm.name, []), result.opened.get(arm.name, [])
        found[arm.name] = [
            *(answer_figures(answered, bare) if answered and bare else []),
            *dragon_figures(answered, plan.encode),
            *muse_figures(answered, opened),
            *source_figures(answered, opened),
            *emphasis_figures(result.scores, arm.name, plan.retained),
            *read.get(arm.name, []),
            *weight_figures(arm, forgotten, plan.unseen, readings),
        ]
    return found


def _told(answered: Answered) -> Answered:
    """Without open rows, whose answers nothing can be compared with; all where no row has one."""
    return [one for one in answered if one[0].answer] or answered
