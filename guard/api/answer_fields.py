"""The fields of answers: what is read, served and taken out. The table is `answers.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

Fate = Literal["guarded", "open", "nested", "passed", "label", "stripped"]
Level = Literal["answer", "event", "inside"]
Path_ = tuple[Any, ...]
Fates = Mapping[str, Fate]

_WORD = re.compile(r"[!-~]*").fullmatch  # ASCII without blanks


@dataclass(frozen=True, slots=True)
class AnswerField:
    """One field of an answer: what becomes of it, and why."""

    name: str
    fate: Fate
    reason: str


@dataclass(frozen=True)
class AnswerTable:
    """The fields of one endpoint's answers, by where they stand."""

    endpoint: str
    levels: Mapping[Level, Mapping[str, AnswerField]]

    @cached_property
    def answer(self) -> Fates:
        """The fates of the top-level fields of a whole answer."""
        return self._fates("answer")

    @cached_property
    def event(self) -> Fates:
        """The fates of the top-level fields of a stream's event."""
        return self._fates("event" if "event" in self.levels else "answer")

    @cached_property
    def inside(self) -> Fates:
        """The fates of fields further down."""
        return self._fates("inside")

    def _fates(self, level: Level) -> Fates:
        return {name: field.fate for name, field in self.levels[level].items()}

    def read(
        self, value: Mapping[str, Any], fates: Fates, at: Path_, found: list[tuple[Path_, str]]
    ) -> bool:
        """Add all text below `value` to `found`, as (path, text); False when fields must go.

        A path ends at the string itself, or at the open field that it is somewhere in.
        """
        clean = True
        for key, item in value.items():
            if not item:  # most fields of most events are null or empty
                continue
            fate = fates.get(key)
            if fate is None or fate == "stripped":
                clean = False
            elif fate == "passed" or fate == "label":
                clean &= is_served(fate, item)
            elif type(item) is str:
                found.append(((*at, key), item))
            elif fate == "open":
                found += (((*at, key), text) for text in all_text(item))
            elif type(item) is dict:
                inner = self.answer if fate == "nested" else self.inside
                clean &= self.read(item, inner, (*at, key), found)
            elif type(item) is list:
                clean &= self._read_list(item, (*at, key), found)
        return clean

    def _read_list(self, items: list[Any], at: Path_, found: list[tuple[Path_, str]]) -> bool:
        clean = True
        for place, item in enumerate(items):
            if type(item) is dict:
                clean &= self.read(item, self.inside, (*at, place), found)
            else:
                found += (((*at, place), text) for text in all_text(item))
        return clean

    def stripped(self, value: Mapping[str, Any], fates: Fates) -> dict[str, Any]:
        """`value` without what is not served: lists that the table names become empty, other
        fields that it names null, unknown ones are gone."""
        kept: dict[str, Any] = {}
        for key, item in value.items():
            fate = fates.get(key)
            if not item or fate == "open":
                kept[key] = item
            elif fate in ("stripped", "passed", "label"):
                kept[key] = item if is_served(fate, item) else [] if type(item) is list else None
            elif fate is not None:
                kept[key] = self._without(item, self.answer if fate == "nested" else self.inside)
        return kept

    def _without(self, item: Any, fates: Fates) -> Any:
        if type(item) is dict:
            return self.stripped(item, fates)
        if type(item) is list:
            return [self._without(each, fates) for each in item]
        return item


def is_served(fate: Fate | None, value: Any) -> bool:
    """Whether a value may stay under its name; what is in an object of a guarded field is not
    looked at. Text where a word or a number belongs is not served: no filter reads it there."""
    if fate == "passed":
        return _is_plain(value)
    if fate == "label":
        return type(value) is str
    return fate is not None and fate != "stripped"


def _is_plain(value: Any) -> bool:
    """Whether a value is a number, a switch or one word, or is made of such."""
    kind = type(value)
    if kind is str:
        return _WORD(value) is not None
    if kind is dict:
        return all(_WORD(key) is not None and _is_plain(item) for key, item in value.items())
    if kind is list:
        return set(map(type, value)) <= {int, float} or all(map(_is_plain, value))
    return True


def all_text(value: Any) -> Iterator[str]:
    """Every string below a JSON value, keys of objects too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from all_text(item)
    elif isinstance(value, list):
        for item in value:
            yield from all_text(item)


@cache
def answer_tables() -> Mapping[str, AnswerTable]:
    """The table of every endpoint, by the endpoint's name in `answers.yaml`."""
    tables = yaml.safe_load(Path(__file__).with_name("answers.yaml").read_text("utf-8"))
    return {
        endpoint: AnswerTable(
            endpoint,
            {
                level: {name: _field(name, row) for name, row in rows.items()}
                for level, rows in levels.items()
            },
        )
        for endpoint, levels in tables.items()
    }


def _field(name: str, row: list[str]) -> AnswerField:
    fate: Any = row[0]
    if fate not in get_args(Fate) or len(row) < 2:
        raise ValueError(f"answers.yaml: {name}: not a fate and a reason")
    return AnswerField(name, fate, ", ".join(row[1:]))


# --- the reference page ------------------------------------------------------------------------

_WORDS: Mapping[Fate, str] = {
    "guarded": "read by the output filter",
    "open": "read by the output filter, names of fields too",
    "nested": "an answer in itself",
    "passed": "passed on when it is numbers and single words, else taken out",
    "label": "passed on when it is a string, else taken out",
    "stripped": "taken out",
}
_PLACES: Mapping[Level, str] = {"answer": "top", "event": "event", "inside": "inside"}


def answer_reference(table: AnswerTable) -> str:
    """Markdown: the rows of one endpoint, by where the fields stand and what becomes of them."""
    rows = ["| field | where | what becomes of it | why |", "|---|---|---|---|"]
    order = {fate: place for place, fate in enumerate(get_args(Fate))}
    for level, fields in table.levels.items():
        for field in sorted(fields.values(), key=lambda field: order[field.fate]):
            rows.append(
                f"| `{field.name}` | {_PLACES[level]} | {_WORDS[field.fate]} | {field.reason} |"
            )
    return "\n".join(rows)
