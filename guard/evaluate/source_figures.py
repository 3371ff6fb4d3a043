"""DUSK's figures where a suite tells some facts in several sources: forgotten, shared, kept.

Its two AUCs are in `model_figures`; its downstream task is none of ours. Answers are without the
published examples before the question.
"""

from __future__ import annotations

from collections.abc import Sequence

from guard.evaluate.arms.base import Reply
from guard.evaluate.fictional.suite import SHARED
from guard.evaluate.metrics import Measured, not_defined
from guard.evaluate.metrics.dusk import Answered
from guard.evaluate.muse_figures import continuations
from guard.evaluate.rows import Row

VARIANT = "DUSK, F1, without examples"


def source_figures(
    answered: Sequence[tuple[Row, Reply]], opened: Sequence[tuple[str, Row, Reply]]
) -> list[Measured]:
    """Nothing for suites without shared facts."""
    shared = [(row, reply) for row, reply in answered if row.part.startswith(SHARED)]
    if not shared:
        return []
    own = [(row, reply) for row, reply in answered if not row.part.startswith(SHARED)]
    sides = (
        ("unique forget knowledge", [one for one in own if one[0].goal == "forget"]),
        ("shared knowledge", shared),
        ("unique retain knowledge", [one for one in own if one[0].goal == "retain"]),
    )
    verbatim = Answered(continuations(opened), [reply.text for _, _, reply in opened])
    return [
        _measured("verbatim memorisation", verbatim),
        *(
            _measured(name, Answered([r.answer for r, _ in rows], [a.text for _, a in rows]))
            for name, rows in sides
        ),
    ]


def _measured(name: str, told: Answered) -> Measured:
    if not told.references:
        return not_defined(name, VARIANT, "no such rows")
    return Measured(name, VARIANT, told.f1(), len(told.references))
