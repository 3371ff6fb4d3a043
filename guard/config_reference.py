"""The settings tables of `docs/operating.md`, written from the models in `guard.config`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from guard.config import Settings

_Schema = dict[str, Any]

_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list of mappings",
}


def settings_reference() -> str:
    """Markdown: one table for each section of the settings file, in its order."""
    return "\n\n".join(_table(path, section) for path, section in _all_sections()) + "\n"


def setting_keys() -> list[str]:
    """Every key of the settings file as a dotted path; a list's items are marked with `[]`."""
    return [
        f"{path}.{key}" if path else key
        for path, section in _all_sections()
        for key in section["properties"]
    ]


def _all_sections() -> Iterator[tuple[str, _Schema]]:
    """The file itself under an empty path, then every mapping in it."""
    schema = Settings.model_json_schema()
    yield "", schema
    yield from _sections("", schema, schema)


def _sections(path: str, schema: _Schema, root: _Schema) -> Iterator[tuple[str, _Schema]]:
    for key, entry in schema["properties"].items():
        listed = entry.get("type") == "array"
        target = _target(entry["items"] if listed else entry, root)
        if "properties" in target:
            name = f"{path}{key}[]" if listed else f"{path}{key}"
            yield name, target
            yield from _sections(f"{name}.", target, root)


def _target(entry: _Schema, root: _Schema) -> _Schema:
    """The entry with its reference followed."""
    if "$ref" in entry:
        found: _Schema = root["$defs"][entry["$ref"].rpartition("/")[2]]
        return found
    return entry


def _table(path: str, section: _Schema) -> str:
    title = f"`{path}`" if path else "The file"
    rows = [f"### {title}", "", "| key | value | default | meaning |", "|---|---|---|---|"]
    required = section.get("required", [])
    for key, entry in section["properties"].items():
        entry = {**_target(entry, Settings.model_json_schema()), **entry}
        default = "required" if key in required else _default(entry)
        rows.append(f"| `{key}` | {_kind(entry)} | {default} | {entry['description']} |")
    return "\n".join(rows)


def _default(entry: _Schema) -> str:
    value = entry.get("default")
    if value is None or value == []:
        return ""
    return "see below" if isinstance(value, dict) else f"`{json.dumps(value)}`"


def _kind(entry: _Schema) -> str:
    kinds = []
    for part in entry.get("anyOf", [entry]):
        if "enum" in part:
            kinds.append(" or ".join(f"`{value}`" for value in part["enum"]))
        elif part.get("format") == "path":
            kinds.append("path")
        elif part["type"] != "null":
            kinds.append(_KINDS.get(part["type"], "mapping") + _bounds(part))
    return " or ".join(kinds)


def _bounds(part: _Schema) -> str:
    if "minimum" in part:
        return f", at least {part['minimum']:,}"
    return ", above 0" if part.get("exclusiveMinimum") == 0 else ""
