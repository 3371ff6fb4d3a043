"""Published figures that take the weights: arms that do not hold them have none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from guard.evaluate.arms.base import Arm
from guard.evaluate.arms.local import Local
from guard.evaluate.inside import last_states, neighbourhoods
from guard.evaluate.metrics import Measured, not_defined
from guard.evaluate.metrics.probing import leave_one_out_probe
from guard.evaluate.metrics.ranking import auc
from guard.evaluate.readings import Readings
from guard.evaluate.rows import Row, every

MOST = 40  # rows a side
SPIRIT = f"in its spirit: forgotten answers, 8 variants, at most {MOST} rows"
NAMES = (
    ("PGA probe, forgotten against unseen", "leave one subject out, the best layer's accuracy"),
    ("REMIND level, forgotten", SPIRIT),
    ("REMIND spread, forgotten", SPIRIT),
    ("REMIND steepness, forgotten", SPIRIT),
    ("REMIND steepness, AUC against unseen", SPIRIT),
)
WHY = "it takes the weights"


def weight_figures(
    arm: Arm, forgotten: Sequence[Row], unseen: Sequence[Row], readings: Readings
) -> list[Measured]:
    """Of one arm. `unseen`: rows of the same kind that no model was told of."""
    if not isinstance(arm, Local):
        return [not_defined(name, variant, WHY) for name, variant in NAMES]
    gone, new = every(forgotten, MOST), every(unseen, MOST)
    if min(len({row.subject for row in side}) for side in (gone, new)) < 2:
        return [not_defined(name, variant, "no two subjects a side") for name, variant in NAMES]
    what = [[(row.subject, row.messages, row.answer) for row in side] for side in (gone, new)]
    values = readings.figures(arm, what, partial(_values, arm, gone, new))
    return [
        Measured(name, variant, float(value), len(gone))
        for (name, variant), value in zip(NAMES, values, strict=True)
    ]


def _values(arm: Local, gone: Sequence[Row], new: Sequence[Row]) -> list[float]:
    subjects = [row.subject for row in (*gone, *new)]
    states, others = last_states(arm, gone), last_states(arm, new)
    probes = [
        leave_one_out_probe(states[:, layer], others[:, layer], subjects)
        for layer in range(states.shape[1])
    ]
    around, outside = list(neighbourhoods(arm, gone)), list(neighbourhoods(arm, new))
    return [
        max(probes),
        float(np.mean([one.level for one in around])),
        float(np.mean([one.spread for one in around])),
        float(np.mean([one.steepness for one in around])),
        auc([one.steepness for one in around], [one.steepness for one in outside]),
    ]
