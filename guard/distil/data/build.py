"""All rows of a run: the policies', other wordings, general ones, answers where none are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from guard.distil.data.general import general_rows
from guard.distil.data.policies import forget_rows, retain_rows
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
    and listed. Raises `DistilError` when nothing is left to forget.
    """
    policies = tuple(policies)
    forget = tuple(forget_rows(policies))
    if not forget:
        raise DistilError("the policies forget nothing that can be trained on")
    retain, dropped = _apart(tuple(retain_rows(policies)), forget, policies)
    general = () if config.general == "none" else general_rows()
    if config.general == "model":
        general = tuple(replace(row, answer="") for row in general)
    forget = tuple(worded(_answered(forget, answer), config.wordings))
    return Data(forget, _answered(retain, answer), _answered(general, answer), dropped)


def _apart(
    retain: tuple[Row, ...], forget: tuple[Row, ...], policies: tuple[Policy, ...]
) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Retain rows that say nothing that must go, and the ids of those that do."""
    asked = {row.prompt.casefold() for row in forget if row.prompt}
    names = [name.casefold() for policy in policies for name in policy.names]
    kept: list[Row] = []
    dropped: list[Row] = []
    for row in retain:
        text = f"{row.prompt} {row.answer}".casefold()
        again = (row.prompt or "").casefold() in asked or any(name in text for name in names)
        (dropped if again else kept).append(row)
    return tuple(kept), tuple(row.id for row in dropped)


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
