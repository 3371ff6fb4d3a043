"""What a request carries for the plugin, in vLLM's `vllm_xargs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SETS = "guard_sets"
"""Ids of the manifests whose phrases must not be generated: a list of strings."""
SOFT = "guard_soft"
"""Ids of soft penalties: a list of strings."""
LEAD = "guard_lead"
"""1 where the prompt's own end is the beginning of the text (raw completions)."""

MOST_SETS = 8


@dataclass(frozen=True, slots=True)
class Arguments:
    """One request's arguments. `sets` is None where they cannot be read: the row may only end."""

    sets: tuple[str, ...] | None
    soft: tuple[str, ...] = ()
    lead: bool = False


def as_xargs(sets: Sequence[str], soft: Sequence[str] = (), *, lead: bool) -> dict[str, Any]:
    """What the proxy adds to a request; empty when there is nothing to say."""
    if not sets and not soft:
        return {}
    said: dict[str, Any] = {SETS: list(sets)}
    if soft:
        said[SOFT] = list(soft)
    if lead:
        said[LEAD] = 1
    return said


def read_arguments(extra: Mapping[str, Any] | None) -> Arguments | None:
    """The arguments among a request's extra ones; None when it carries none of ours."""
    if not extra or not (SETS in extra or SOFT in extra or LEAD in extra):
        return None
    sets, soft = _names(extra.get(SETS, ())), _names(extra.get(SOFT, ()))
    if sets is None or soft is None or len(sets) > MOST_SETS:
        return Arguments(None)
    return Arguments(sets, soft, extra.get(LEAD) == 1)


def problem_of(extra: Mapping[str, Any] | None) -> str | None:
    """What is wrong with the arguments, for the frontend to refuse the request; None if nothing."""
    read = read_arguments(extra)
    if read is not None and read.sets is None:
        return f"{SETS} and {SOFT} must be lists of at most {MOST_SETS} strings"
    return None


def _names(value: Any) -> tuple[str, ...] | None:
    """Read twice a request, by the frontend and by the worker: no generators, no unions."""
    if not isinstance(value, (list, tuple)):
        return None
    for item in value:
        if not isinstance(item, str):
            return None
    return tuple(value)
