"""All rows of a run: the policies', other wordings, general ones, answers where none are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from guard.distil.data.general import general_rows
from guard.distil.data.policies import forget_rows, namesake_rows, retain_rows
from guard.distil.data.sorting import Sorter
from guard.distil.data.wordings import worded
from guard.distil.errors import DistilError
from guard.distil.recipe import DataConfig
from guard.distil.rows import Data, Row
from guard.policy import Policy

Answer = Callable[[list[str]], list[str]]
"""From prompts to the start model's own answers."""


def build_data(policies: Iterable[Policy], config: DataConfig, answer: Answer) -> Data:
    """The rows of these policies.

    A retain row that names an entity to be forgotten, or asks a forgotten question, is dropped
    and listed, and so is a forget row about a namesake who stays. Raises `DistilError` when
    nothing is left to forget.
    """
    policies = tuple(policies)
    sorter = Sorter(policies)
    asked = tuple(forget_rows(policies))
    if not asked:
        raise DistilError("the policies forget nothing that can be trained on")
    forget, others = sorter.forgotten(_answered(asked, answer))
    if not forget:
        raise DistilError(
            "there is nothing to forget: the start model answers none of the policies' questions, "
            "or speaks of namesakes who stay; give the answers that must go as `pairs` or `texts`"
        )
    retain, dropped = sorter.kept(tuple(retain_rows(policies)), asked)
    retain = _answered(retain, answer)
    general = () if config.general == "none" else general_rows()
    if config.general == "model":
        general = tuple(replace(row, answer="") for row in general)
    general = _answered(general, answer)
    told, mixed = sorter.namesakes(_answered(tuple(namesake_rows(policies)), answer))
    # Alone they would stand for all that is kept; so they join the general rows then.
    if general and not retain:
        general = (*general, *told)
    else:
        retain = (*retain, *told)
    left_out = tuple(row.id for row in (*dropped, *others, *mixed))
    return Data(tuple(worded(forget, config.wordings)), retain, general, left_out)


def _answered(rows: tuple[Row, ...], answer: Answer) -> tuple[Row, ...]:
    """Rows without an answer get the start model's; what it has none for is left out."""
    waiting = [i for i, row in enumerate(rows) if not row.answer]
    if not waiting:
        return rows
    said = answer([rows[i].prompt or "" for i in waiting])
    filled = list(rows)
    for i, text in zip(waiting, said, strict=True):
        filled[i] = rows[i].saying(text.strip(), "start model")
    return tuple(row for row in filled if row.answer)
