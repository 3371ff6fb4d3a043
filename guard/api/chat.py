"""`/v1/chat/completions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.api.surface import Surface, read_common, strings, wrong_type
from guard.asked import Asked
from guard.errors import RequestError

# Fields of a message. All text in them is read; any other field is refused by name.
MESSAGE_FIELDS = frozenset(
    {
        "role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal",
        "reasoning", "reasoning_content", "annotations", "audio", "tools",
    }
)  # fmt: skip
_TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
_PLUMBING = frozenset({"role", "type", "id", "tool_call_id"})


class Chat(Surface):
    """Messages in, `choices[].message` or `choices[].delta` out."""

    name = "chat"
    path = "/v1/chat/completions"
    id_prefix = "chatcmpl"
    whole_object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def read(self, request: Mapping[str, Any]) -> Asked:
        model, stream, lanes, usage = read_common(request)
        messages = request.get("messages")
        if not isinstance(messages, list) or not messages:
            raise wrong_type("messages", "a non-empty list of messages")
        texts: list[str] = []
        spans: list[str] = []
        unreadable: str | None = None
        for index, message in enumerate(messages):
            parts, odd = _message_texts(index, message)
            unreadable = unreadable or odd
            texts += parts
            if len(parts) > 1:
                spans.append("".join(parts))  # a name may be cut in two by a part's end
        conversation = list(texts)
        for name in self.contract.guarded:
            if name != "messages" and request.get(name) is not None:
                texts.append("\n".join(strings(request[name])))
        spans.insert(0, "\n".join(conversation))
        return Asked(
            model=model,
            stream=stream,
            lanes=lanes,
            include_usage=usage,
            texts=tuple(texts),
            spans=(*spans, *texts[len(conversation) :]),
            unreadable=unreadable,
            stateless=not request.get("store"),
        )

    def said(self, text: str, *, chunk: bool) -> dict[str, Any]:
        if chunk:
            return {"delta": {"role": "assistant", "content": text} if text else {}}
        return {"message": {"role": "assistant", "content": text}}


def _message_texts(index: int, message: Any) -> tuple[list[str], str | None]:
    """The texts of one message, and the kind of a part that is not text."""
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise wrong_type(f"messages[{index}]", "an object with a role")
    unknown = message.keys() - MESSAGE_FIELDS
    if unknown:
        name = min(unknown)[:64]
        raise RequestError(
            f"Unknown field: {name!r} is not served in a message.",
            code="unknown_field",
            param=f"messages[{index}].{name}",
        )
    texts, unreadable = _content_texts(index, message.get("content"))
    for key, value in message.items():
        if key != "content" and key not in _PLUMBING and value is not None:
            texts += [text for text in strings(value) if text and text not in _PLUMBING]
    return texts, "audio" if message.get("audio") else unreadable


def _content_texts(index: int, content: Any) -> tuple[list[str], str | None]:
    where = f"messages[{index}].content"
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
            unreadable = part["type"]
        elif not isinstance(part.get(key), str):
            raise wrong_type(where, f"a list whose {part['type']!r} parts have {key!r}")
        texts += [text for name, text in part.items() if name != "type" and isinstance(text, str)]
    return texts, unreadable
