"""All text of a conversation, wherever a client may put it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from guard.asked import Turn
from guard.errors import RequestError

# Fields of a message. All text in them is read; any other field is refused by name.
MESSAGE_FIELDS = frozenset(
    {
        "role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal",
        "reasoning", "reasoning_content", "annotations", "audio", "tools",
    }
)  # fmt: skip
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_TEXT_PARTS = {
    "text": "text",
    "input_text": "text",
    "output_text": "text",
    "summary_text": "text",
    "reasoning_text": "text",
    "refusal": "refusal",
}
_LAST_TURNS = 3
_SEAMS = 8  # between user turns, the last ones
_SEAM_WORDS = 6  # before a seam; as many after it may be an introduction ("Second part:")
_SEAM_LETTERS = 400
# Words of the protocol and of JSON Schema: as values they say nothing, whoever wrote them.
_PROTOCOL = frozenset(
    {
        "type", "function", "object", "string", "integer", "number", "boolean", "array", "null",
        "text", "json_schema", "json_object", "auto", "none", "required", "properties", "name",
        "description", "parameters", "arguments", "id", "strict",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conversation:
    """All text of a conversation.

    `texts`: one string a part or field, and questions put together again that were split over
    parts or over the last user turns; `spans`: all of it joined, so that no name hides across
    parts or turns, and the last user turns also without what introduces a second half;
    `unreadable`: the kind of a part that is not text, if there is one; `turns`: who said what, in
    order.
    """

    texts: tuple[str, ...]
    spans: tuple[str, ...]
    unreadable: str | None
    turns: tuple[Turn, ...] = ()


class Gathering:
    """Puts a conversation together, turn by turn."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._spans: list[str] = []
        self._turns: list[Turn] = []
        self._unreadable: str | None = None

    def add(
        self,
        parts: list[str],
        *,
        role: str = "",
        ids: Iterable[str] = (),
        unreadable: str | None = None,
    ) -> None:
        """Add the parts of what `role` said. `ids` are looked through for names only."""
        self._unreadable = self._unreadable or unreadable
        self._texts += parts
        if len(parts) > 1:
            # A part may end between words or inside one.
            self._spans.append("".join(parts))
            self._texts += [" ".join(parts), "".join(parts)]
        if parts:
            self._turns.append(Turn(role, " ".join(parts)))
        self._spans += ids

    def conversation(self) -> Conversation:
        """All of it."""
        texts, spans = list(self._texts), list(self._spans)
        if len(texts) > 1:
            spans.append("\n".join(texts))
        asked = [turn.text for turn in self._turns if turn.role == "user"]
        if len(asked) > 1:
            texts.append(" ".join(asked[-_LAST_TURNS:]))
            spans.append(_seams(asked[-_SEAMS - 1 :]))
        return Conversation(tuple(texts), tuple(spans), self._unreadable, tuple(self._turns))


def _seams(asked: Sequence[str]) -> str:
    """The end of each turn with the beginning of the next, once without each number of its first
    words. A word that no name has stands between."""
    found = []
    for before, after in pairwise(asked):
        end = before[-_SEAM_LETTERS:].split()[-_SEAM_WORDS:]
        begin = after[:_SEAM_LETTERS].split()[: 2 * _SEAM_WORDS]
        found += [" ".join(end + begin[left:]) for left in range(1, _SEAM_WORDS + 1)]
    return "\nnor\n".join(found)


def read_messages(messages: Any) -> Conversation:
    """Read `messages` of a chat request. Raises RequestError that names the field."""
    if not isinstance(messages, list) or not messages:
        raise wrong_type("messages", "a non-empty list of messages")
    gathered = Gathering()
    for index, message in enumerate(messages):
        parts, odd = _message_texts(index, message)
        ids = identities(message, ("tool_call_id",), f"messages[{index}]")
        gathered.add(parts, role=message["role"], ids=ids, unreadable=odd)
    return gathered.conversation()


def wrong_type(field: str, wanted: str) -> RequestError:
    """The error for a field that is not what the endpoint takes."""
    return RequestError(f"{field!r} must be {wanted}.", code="invalid_type", param=field)


def identities(value: Mapping[str, Any], fields: Collection[str], where: str) -> list[str]:
    """The ids that an object has in these fields. Raises RequestError for one that is no string:
    nobody would read what is in it."""
    found = []
    for field in fields:
        if isinstance(own := value.get(field), str):
            found.append(own)
        elif own is not None:
            raise wrong_type(f"{where}.{field}", "a string")
    return found


def only(value: Mapping[str, Any], fields: Collection[str], where: str) -> None:
    """Refuse an object that has any other field. Raises RequestError that names it."""
    unknown = value.keys() - fields
    if unknown:
        name = min(unknown)[:64]
        raise RequestError(
            f"Unknown field: {name!r} is not served in {where}.",
            code="unknown_field",
            param=f"{where}.{name}",
        )


def strings(value: Any) -> Iterator[str]:
    """Every string below a JSON value, keys of objects too: a schema's names reach the prompt."""
    if isinstance(value, str):
        if value not in _PROTOCOL:
            yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _PROTOCOL:
                yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def _message_texts(index: int, message: Any) -> tuple[list[str], str | None]:
    """The texts of one message, and the kind of a part that is not text."""
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise wrong_type(f"messages[{index}]", "an object with a role")
    only(message, MESSAGE_FIELDS, f"messages[{index}]")
    texts, unreadable = content_texts(f"messages[{index}].content", message.get("content"))
    if message["role"] not in _ROLES:
        texts.append(message["role"])  # many templates print it as it is
    for key, value in message.items():
        if key not in ("content", "role", "tool_call_id") and value is not None:
            texts.append("\n".join(strings(value)))
    return texts, "audio" if message.get("audio") else unreadable


def content_texts(where: str, content: Any) -> tuple[list[str], str | None]:
    """The texts of a string or a list of parts, and the kind of a part that is not text.

    Raises RequestError that names `where`.
    """
    if content is None:
        return [], None
    if isinstance(content, str):
        return [content], None
    if not isinstance(content, list):
        raise wrong_type(where, "a string or a list of parts")
    texts: list[str] = []
    unreadable: str | None = None
    for part in content:
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise wrong_type(where, "a list of parts with a type")
        key = _TEXT_PARTS.get(part["type"])
        if key is None:
            unreadable = part["type"][:32]
        elif not isinstance(part.get(key), str):
            raise wrong_type(where, f"a list whose {part['type']!r} parts have {key!r}")
        if key is not None and isinstance(part.get(key), str):
            texts.append(part[key])
        rest = "\n".join(strings({k: v for k, v in part.items() if k not in ("type", key)}))
        if rest.strip():
            texts.append(rest)
    return texts, unreadable
