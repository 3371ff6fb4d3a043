"""Names to choices. A new method is a new file in the folder of its axis, and nothing else."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from guard.distil.errors import DistilError
from guard.distil.part import About, Axis, Claim, Need, Part

P = TypeVar("P", bound=type[Part[Any]])

_FOLDERS = {
    Axis.FORGET: "guard.distil.forget",
    Axis.RETAIN: "guard.distil.retain",
    Axis.COMBINE: "guard.distil.combine",
    Axis.SAMPLE: "guard.distil.sample",
    Axis.PARAMETERS: "guard.distil.parameters",
    Axis.PROCEDURE: "guard.distil.procedures",
}
_CHOICES: dict[Axis, dict[str, type[Part[Any]]]] = {axis: {} for axis in Axis}


def register(
    axis: Axis,
    name: str,
    *,
    source: str,
    faithful: str = "as published",
    claim: Claim | None = None,
    needs: Iterable[Need] = (),
) -> Callable[[P], P]:
    """Class decorator: makes a choice known under `name` on its axis.

    `source` names paper and equation; `faithful` says what of it is not, or only in its spirit.
    The first line of the class's docstring is what `--list` prints.
    """

    def enter(part: P) -> P:
        if name in _CHOICES[axis]:
            raise ValueError(f"{axis} {name} is registered twice")
        summary = (part.__doc__ or "").strip().partition("\n")[0]
        part.about = About(axis, name, summary, source, faithful, claim, frozenset(needs))
        _CHOICES[axis][name] = part
        return part

    return enter


@cache
def choices(axis: Axis) -> dict[str, type[Part[Any]]]:
    """Every choice of an axis by name, sorted; imports the axis's folder."""
    package = importlib.import_module(_FOLDERS[axis])
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(_CHOICES[axis].items()))


def choice(axis: Axis, name: str) -> type[Part[Any]]:
    """The choice of that name. Raises `DistilError` naming the known ones."""
    known = choices(axis)
    if name not in known:
        raise DistilError(f"{axis}: there is no {name!r}; {_nearest(name, known)}")
    return known[name]


def build(axis: Axis, values: dict[str, Any]) -> Part[Any]:
    """A part from `{"method": name, **config}`. Raises `DistilError` naming key and bounds."""
    values = dict(values)
    name = values.pop("method", None)
    if not isinstance(name, str):
        raise DistilError(f"{axis}: give the `method`; there are: {', '.join(choices(axis))}")
    part = choice(axis, name)
    return part(config(part.Config, values, str(axis)))


def config(kind: type[Any], values: dict[str, Any], place: str) -> Any:
    """A configuration dataclass from plain values, checked against its annotations.

    Raises `DistilError` for unknown keys and values of the wrong type or out of bounds.
    """
    known = {field.name: field for field in dataclasses.fields(kind)}
    for key in values:
        if key not in known:
            raise DistilError(f"{place}.{key}: unknown key; {_nearest(key, known)}")
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        key = ".".join([place, *map(str, details["loc"])])
        raise DistilError(f"{key}: {details['msg'].replace('Input should', 'must')}") from None


def as_values(part: Part[Any]) -> dict[str, Any]:
    """The inverse of `build`, with every default written out."""
    return {"method": part.about.name, **dataclasses.asdict(part.config)}


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}there are: {', '.join(known) or 'none'}"
