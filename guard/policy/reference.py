"""The reference tables of `docs/policies.md`, written from the JSON schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from guard.policy.schema import policy_schema

_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "null": "null",
    "boolean": "`true` or `false`",
}
_Schema = dict[str, Any]


def policy_reference() -> str:
    """Markdown: one table of keys for each mapping of the format, in the order of the file."""
    schema = policy_schema()
    tables = [_table("The file", schema, schema)]
    for path, section in _sections("", schema, schema):
        tables.append(_table(f"`{path}`", section, schema))
    return "\n\n".join(tables) + "\n"


def _sections(path: str, schema: _Schema, root: _Schema) -> Iterator[tuple[str, _Schema]]:
    for key, entry in schema["properties"].items():
        here = f"{path}.{key}" if path else key
        for part in _parts(entry, root):
            listed = part.get("type") == "array"
            for inner in _parts(part["items"], root) if listed else [part]:
                if "properties" in inner:
                    name = f"{here}[]" if listed else here
                    yield name, inner
                    yield from _sections(name, inner, root)


def _parts(entry: _Schema, root: _Schema) -> list[_Schema]:
    """The alternatives of an entry, with references followed."""
    alternatives = entry.get("anyOf") or entry.get("oneOf") or [entry]
    return [
        root["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        for part in alternatives
    ]


def _table(title: str, section: _Schema, root: _Schema) -> str:
    rows = [f"### {title}", "", "| key | value | default | meaning |", "|---|---|---|---|"]
    required = section.get("required", [])
    for key, entry in section["properties"].items():
        kinds = dict.fromkeys(_kind(part, root) for part in _parts(entry, root))
        default = "required" if key in required else _default(entry.get("default"))
        kind = " or ".join(kinds)
        rows.append(f"| `{key}` | {kind} | {default} | {entry['description']} |")
    return "\n".join(rows)


def _default(value: object) -> str:
    if value is None or value in ([], ""):
        return ""
    if isinstance(value, dict):
        return "see below"
    return f"`{json.dumps(value)}`"


def _kind(part: _Schema, root: _Schema) -> str:
    if "enum" in part or "const" in part:
        values = part.get("enum", [part.get("const")])
        return " or ".join(f"`{value}`" for value in values)
    if "properties" in part:
        return "mapping"
    if part["type"] == "array":
        inner = " or ".join(dict.fromkeys(_kind(p, root) for p in _parts(part["items"], root)))
        return f"list of {inner}s"
    if part.get("format") == "date":
        return "date"
    return _KINDS[part["type"]] + _bounds(part)


def _bounds(part: _Schema) -> str:
    low, above = part.get("minimum"), part.get("exclusiveMinimum")
    high = part.get("maximum")
    if high is None:
        return ""
    if low == high:
        return f": {low:g}"
    return f" from {low:g} to {high:g}" if above is None else f" above {above:g}, to {high:g}"
