"""All text of a Messages request: `system`, every message, every block."""

from __future__ import annotations

from typing import Any

from guard.messages import Conversation, Gathering, identities, only, strings, wrong_type

MESSAGE_FIELDS = frozenset({"role", "content"})
# Fields of a block that can be read. Any other is refused by name.
BLOCK_FIELDS = frozenset(
    {
        "type", "text", "thinking", "signature", "data", "source", "title", "context", "citations",
        "id", "tool_use_id", "name", "input", "content", "is_error", "tool_name", "tool",
        "toolset_name", "caller", "cache_control", "transformations",
    }
)  # fmt: skip
BLOCK_TYPES = frozenset(
    {
        "text", "thinking", "tool_use", "tool_result", "tool_reference", "tool_addition",
        "tool_removal", "search_result", "document",
    }
)  # fmt: skip
_IDS = ("id", "tool_use_id")
# Not read: the protocol's words, what is read apart, and the server's own mark on its thinking.
_APART = frozenset({*_IDS, "type", "text", "thinking", "content", "signature", "cache_control"})
_DEPTH = 8  # of blocks in blocks


def read_conversation(messages: Any, system: Any) -> tuple[Conversation, str]:
    """The conversation, and the beginning of the answer that it ends with, if any.

    Raises RequestError that names the field.
    """
    if not isinstance(messages, list) or not messages:
        raise wrong_type("messages", "a non-empty list of messages")
    gathered = Gathering()
    _add(gathered, "system", system, role="system")
    parts: list[str] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise wrong_type(where, "an object with a role")
        only(message, MESSAGE_FIELDS, where)
        role = message["role"]
        if role not in ("user", "assistant", "system"):
            gathered.add([role])
        parts = _add(gathered, f"{where}.content", message.get("content"), role=role)
    # A server may go on with a last message of the assistant: a match may begin in it.
    lead = "".join(parts) if messages[-1]["role"] == "assistant" else ""
    return gathered.conversation(), lead


def read_tools(tools: Any) -> str | None:
    """The kind of a tool that runs on the server, unseen by any detector, if there is one."""
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            raise wrong_type("tools", "a list of tools")
        kind = tool.get("type") or "custom"
        if kind != "custom":
            return f"{str(kind)[:32]} tool"
    return None


def _add(gathered: Gathering, where: str, content: Any, *, role: str) -> list[str]:
    texts: list[str] = []
    ids: list[str] = []
    unreadable = _blocks(where, content, texts, ids, 0)
    gathered.add(texts, role=role, ids=ids, unreadable=unreadable)
    return texts


def _blocks(where: str, content: Any, texts: list[str], ids: list[str], depth: int) -> str | None:
    """Add the text of a string or a list of blocks; the kind of a block that cannot be read."""
    if content is None:
        return None
    if isinstance(content, str):
        texts.append(content)
        return None
    if not isinstance(content, list) or depth > _DEPTH:
        raise wrong_type(where, "a string or a list of blocks")
    unreadable: str | None = None
    for block in content:
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise wrong_type(where, "a list of blocks with a type")
        odd = _block(where, block, texts, ids, depth)
        unreadable = unreadable or odd
    return unreadable


def _block(
    where: str, block: dict[str, Any], texts: list[str], ids: list[str], depth: int
) -> str | None:
    kind = block["type"]
    if kind not in BLOCK_TYPES:
        texts.append("\n".join(strings(block)))
        return str(kind[:32])
    only(block, BLOCK_FIELDS, where)
    for key in ("text", "thinking"):
        if isinstance(block.get(key), str):
            texts.append(block[key])
        elif block.get(key) is not None:
            raise wrong_type(where, f"a list of blocks whose {key!r} is text")
    ids += identities(block, _IDS, where)
    identities(block, ("signature",), where)
    unreadable = _blocks(where, block.get("content"), texts, ids, depth + 1)
    rest = "\n".join(strings({k: v for k, v in block.items() if k not in _APART}))
    if rest.strip():
        texts.append(rest)
    return unreadable or _source(where, block, texts, ids, depth)


def _source(
    where: str, block: dict[str, Any], texts: list[str], ids: list[str], depth: int
) -> str | None:
    """A document's own text; the kind of one that is not text."""
    source = block.get("source")
    if not isinstance(source, dict):  # the address of a search result is read with the rest
        return "document" if block["type"] == "document" else None
    if source.get("type") == "content":
        return _blocks(where, source.get("content"), texts, ids, depth + 1)
    return None if source.get("type") == "text" else str(block["type"])
