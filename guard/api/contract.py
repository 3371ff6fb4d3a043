"""The closed field contract: what becomes of every request field. Its table is `contract.yaml`,
that of answers `answers.yaml`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from guard.api.answer_fields import answer_reference, answer_tables
from guard.errors import RequestError

Class = Literal["guarded", "passed", "constrained", "refused"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its class, the reason for it, and the values that a constrained one may have."""

    name: str
    kind: Class
    reason: str
    allow: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """The fields of one endpoint."""

    endpoint: str
    fields: Mapping[str, Field]
    guarded: tuple[str, ...]
    watched: frozenset[str]  # fields that are not simply passed or guarded

    def check(self, request: Mapping[str, Any], *, enforced: bool) -> None:
        """Refuse what must not go upstream.

        `enforced`: whether any enforced policy is in force for this caller. A null counts as
        absent. Raises RequestError that names the field.
        """
        unknown = request.keys() - self.fields.keys()
        if unknown:
            name = min(unknown)
            raise RequestError(
                f"Unknown field: {name[:64]!r} is not served by this endpoint.",
                code="unknown_field",
                param=name[:64],
            )
        for name in self.watched & request.keys():
            value = request[name]
            if value is None:
                continue
            field = self.fields[name]
            if field.kind == "refused":
                raise RequestError(
                    f"The field {name!r} is not served: {field.reason}.",
                    code="field_refused",
                    param=name,
                )
            if enforced and not any(_same(value, allowed) for allowed in field.allow):
                raise RequestError(
                    f"This value of {name!r} is not served: {field.reason}.",
                    code="field_constrained",
                    param=name,
                )


def _same(value: Any, allowed: Any) -> bool:
    # In Python False == 0; on the wire they are two values.
    return type(value) is type(allowed) and bool(value == allowed)


@cache
def contracts() -> Mapping[str, Contract]:
    """The contract of every endpoint, by the endpoint's name in `contract.yaml`."""
    table = yaml.safe_load(Path(__file__).with_name("contract.yaml").read_text("utf-8"))
    return {endpoint: _contract(endpoint, rows) for endpoint, rows in table.items()}


def _contract(endpoint: str, rows: Mapping[str, list[Any]]) -> Contract:
    fields = {name: _field(name, row) for name, row in rows.items()}
    return Contract(
        endpoint,
        fields,
        guarded=tuple(f.name for f in fields.values() if f.kind == "guarded"),
        watched=frozenset(f.name for f in fields.values() if f.kind in ("constrained", "refused")),
    )


def _field(name: str, row: list[Any]) -> Field:
    options = row[-1] if isinstance(row[-1], dict) else {}
    kind, reason = row[0], ", ".join(str(part) for part in row[1:] if not isinstance(part, dict))
    if kind not in get_args(Class) or (kind == "constrained") != ("allow" in options):
        raise ValueError(f"contract.yaml: {name}: not a class of field, or `allow` out of place")
    return Field(name, kind, reason, tuple(options.get("allow", ())))


# --- the reference page ------------------------------------------------------------------------

_FATES: Mapping[Class, str] = {
    "guarded": "read by the detectors, then passed on",
    "passed": "passed on",
    "refused": "refused, always",
}


def contract_reference() -> str:
    """Markdown for docs/field-contract.md: every field of requests, messages and answers."""
    # Imported here: a surface is built on its contract.
    from guard.api import messages_input, responses_input, surface
    from guard.api.app import ENDPOINTS
    from guard.messages import _TEXT_PARTS, MESSAGE_FIELDS

    messages = (
        f"Fields of a message: {_listed(MESSAGE_FIELDS)}. Any other is refused by name.",
        f"Content is a string or a list of parts. Parts that can be read: {_listed(_TEXT_PARTS)}. "
        "Any other kind (images, audio, files) is refused under an enforced policy.",
        f"Items of `/v1/responses` that can be read: {_listed(responses_input.ITEM_TYPES)}, with "
        f"the fields {_listed(responses_input.ITEM_FIELDS)}; tools: "
        f"{_listed(responses_input.TOOL_TYPES)}. Any other kind is refused under an enforced "
        "policy: it runs on the server, refers to what is kept there, or is not text.",
        f"Blocks of `/v1/messages` that can be read: {_listed(messages_input.BLOCK_TYPES)}, with "
        f"the fields {_listed(messages_input.BLOCK_FIELDS)}; tools of the client's own. Any other "
        "kind is refused under an enforced policy.",
    )
    answers = (
        "Where a field stands: at the *top* of a whole answer, at the top of a stream's *event* "
        "where that differs, or further *inside*.",
        "A field that is not listed and holds something is taken out, and `guard_stripped_total` "
        "counts it.",
        "Each place that text is read from is a channel of its own; the deltas of a text are one "
        "channel, and so are texts of one kind that follow one another.",
        f"A request may have at most {surface.MAX_LANES} choices: prompts times `n`.",
    )
    requests = [_request_table(each.path, contracts()[each.name]) for each in ENDPOINTS]
    paths = {**{each.name: each.path for each in ENDPOINTS}, "models": "/v1/models"}
    tables = [
        f"### Answers of `{paths[name]}`\n\n{answer_reference(table)}"
        for name, table in answer_tables().items()
    ]
    sections = [
        *requests,
        _bullets("Messages, items and blocks", messages),
        _bullets("Answers", answers),
        *tables,
    ]
    return "\n\n".join(sections) + "\n"


def _request_table(path: str, contract: Contract) -> str:
    rows = [f"### `{path}`", "", "| field | what becomes of it | why |", "|---|---|---|"]
    order = {kind: place for place, kind in enumerate(get_args(Class))}
    for field in sorted(contract.fields.values(), key=lambda field: order[field.kind]):
        rows.append(f"| `{field.name}` | {fate(field)} | {field.reason} |")
    return "\n".join(rows)


def fate(field: Field) -> str:
    """What becomes of a field, in words."""
    if field.kind != "constrained":
        return _FATES[field.kind]
    if not field.allow:
        return "refused under an enforced policy"
    values = " or ".join(f"`{json.dumps(value)}`" for value in field.allow)
    return f"under an enforced policy only {values}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _bullets(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"### {title}", "", *(f"- {line}" for line in lines)])
