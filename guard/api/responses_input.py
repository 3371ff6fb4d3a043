"""All text of a Responses request's `input`: messages, calls, results and reasoning."""

from __future__ import annotations

from typing import Any

from guard.messages import (
    Conversation,
    Gathering,
    content_texts,
    identities,
    only,
    strings,
    wrong_type,
)

# Fields of an item that can be read. Any other is refused by name.
ITEM_FIELDS = frozenset(
    {
        "type", "id", "role", "content", "status", "phase", "name", "namespace", "arguments",
        "call_id", "input", "output", "summary", "encrypted_content", "caller", "async",
        "created_by",
    }
)  # fmt: skip
ITEM_TYPES = frozenset(
    {
        "message", "reasoning", "function_call", "function_call_output", "custom_tool_call",
        "custom_tool_call_output",
    }
)  # fmt: skip
TOOL_TYPES = frozenset({"function", "custom", "namespace"})
_PARTS = ("content", "output", "summary")  # a text, or a list of parts
_IDS = ("id", "call_id")
_UNFINISHED = ("in_progress", "incomplete")
_STATES = (*_UNFINISHED, "completed", "failed")  # any other `status` is read as a text


def read_input(value: Any) -> tuple[Conversation, str]:
    """The conversation of `input`, and the beginning of the answer that it ends with, if any.

    Raises RequestError that names the field.
    """
    gathered = Gathering()
    if isinstance(value, str):
        gathered.add([value], role="user")
        return gathered.conversation(), ""
    if not isinstance(value, list) or not value:
        raise wrong_type("input", "a string or a non-empty list of items")
    parts: list[str] = []
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise wrong_type(f"input[{index}]", "an object")
        parts, unreadable = _item_texts(f"input[{index}]", item)
        ids = identities(item, _IDS, f"input[{index}]")
        role = item.get("role") or item.get("type")
        role = role if isinstance(role, str) else ""
        gathered.add(parts, role=role, ids=ids, unreadable=unreadable)
    # The model server goes on with an unfinished item: a match may begin in it.
    goes_on = value[-1].get("status") in _UNFINISHED
    return gathered.conversation(), "".join(parts) if goes_on else ""


def read_tools(tools: Any) -> str | None:
    """The kind of a tool that runs on the server, unseen by any detector, if there is one."""
    for tool in tools if isinstance(tools, list) else ():
        kind = tool.get("type") if isinstance(tool, dict) else None
        if not isinstance(kind, str):
            raise wrong_type("tools", "a list of tools with a type")
        if kind not in TOOL_TYPES:
            return f"{kind[:32]} tool"
    return None


def _item_texts(where: str, item: dict[str, Any]) -> tuple[list[str], str | None]:
    kind = item.get("type") or "message"
    if not isinstance(kind, str):
        raise wrong_type(where, "an item with a type")
    if kind not in ITEM_TYPES:
        return ["\n".join(strings(item))], kind[:32]
    only(item, ITEM_FIELDS, where)
    texts: list[str] = []
    unreadable = "encrypted content" if item.get("encrypted_content") else None
    for key in _PARTS:
        found, odd = content_texts(f"{where}.{key}", item.get(key))
        texts += found
        unreadable = unreadable or odd
    rest = {k: v for k, v in item.items() if k not in (*_PARTS, *_IDS, "type")}
    if rest.get("status") in _STATES:
        del rest["status"]
    if rest.get("role") in ("user", "assistant", "system", "developer"):
        del rest["role"]
    texts += filter(None, ("\n".join(strings(each)) for each in rest.values()))
    return texts, unreadable
