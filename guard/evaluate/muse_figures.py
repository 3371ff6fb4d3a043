"""MUSE's memorisation figures, of answers to plain questions and of continued openings."""

from __future__ import annotations

from collections.abc import Sequence

from guard.evaluate.arms.base import Reply
from guard.evaluate.metrics import Measured, not_defined
from guard.evaluate.metrics.muse import know_mem, verb_mem
from guard.evaluate.rows import Row

VERB = ("VerbMem, forgotten", "MUSE, F1, after an answer's opening")
KNOW = "MUSE, F1, without examples"


def muse_figures(
    answered: Sequence[tuple[Row, Reply]], opened: Sequence[tuple[str, Row, Reply]]
) -> list[Measured]:
    """VerbMem where openings were tried, KnowMem of both sides."""
    found = [_verb(opened)]
    for name, goal in (("KnowMem, forgotten", "forget"), ("KnowMem, kept", "retain")):
        rows = [(row.answer, reply.text) for row, reply in answered if row.goal == goal]
        if rows:
            value = know_mem(*(list(side) for side in zip(*rows, strict=True)))
            found.append(Measured(name, KNOW, value, len(rows)))
        else:
            found.append(not_defined(name, KNOW, "no such rows"))
    return found


def _verb(opened: Sequence[tuple[str, Row, Reply]]) -> Measured:
    if not opened:
        return not_defined(*VERB, "no openings were tried")
    told = [reply.text for _, _, reply in opened]
    return Measured(*VERB, verb_mem(told, continuations(opened)), len(told))


def continuations(opened: Sequence[tuple[str, Row, Reply]]) -> list[str]:
    """What each answer goes on with after its opening."""
    return [row.answer[len(opening) :].strip() for opening, row, _ in opened]
