"""The two endpoints whose streams are typed events, seen alike: how to ask, script, read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from tests.support import typed_answers as answers
from tests.support.proxy import WAIT, Proxy

KINDS = ("text", "reasoning", "call")


@dataclass(frozen=True, slots=True)
class Typed:
    """One endpoint: `whole` and `events` script an answer of parts, `texts` and `ending` read one
    back, streamed or whole."""

    path: str
    body: Callable[..., dict[str, Any]]
    whole: Callable[..., Any]
    events: Callable[..., list[Any]]
    texts: Callable[[Any], list[tuple[str, str]]]
    ending: Callable[[Any], Any]
    streamed: Callable[[list[Any]], list[tuple[str, str]]]
    stream_ending: Callable[[list[Any]], Any]
    cut: Any

    def __str__(self) -> str:
        return self.path


def _responses_body(prompt: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "input": prompt, **fields}


def _responses_texts(answer: Any) -> list[tuple[str, str]]:
    found = []
    for item in answer["output"]:
        if item["type"] == "function_call":
            found.append(("call", item["arguments"]))
            continue
        kind = "reasoning" if item["type"] == "reasoning" else "text"
        found.append((kind, "".join(part["text"] for part in item["content"] or ())))
    return found


def _responses_ending(answer: Any) -> Any:
    return answer["status"], (answer["incomplete_details"] or {}).get("reason")


_DELTAS = {
    "response.output_text.delta": "text",
    "response.reasoning_text.delta": "reasoning",
    "response.function_call_arguments.delta": "call",
}


def _responses_streamed(events: list[Any]) -> list[tuple[str, str]]:
    """What the deltas say; checks that numbers are right and that copies say the same."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    texts: dict[int, tuple[str, str]] = {}
    open_items: set[int] = set()
    for event in events:
        place = event.get("output_index")
        if event["type"] == "response.output_item.added":
            open_items.add(place)
            texts[place] = ("", "")
        elif event["type"] in _DELTAS:
            assert place in open_items
            texts[place] = (_DELTAS[event["type"]], texts[place][1] + event["delta"])
        elif event["type"] == "response.output_item.done":
            open_items.remove(place)
            ((kind, text),) = _responses_texts({"output": [event["item"]]})
            assert text == texts[place][1]
            texts[place] = (kind, text)
        elif event["type"].endswith("_text.done"):
            assert event["text"] == texts[place][1]
        elif event["type"] == "response.content_part.done":
            assert event["part"]["text"] == texts[place][1]
        elif event["type"].endswith("arguments.done"):
            assert event["arguments"] == texts[place][1]
    assert not open_items
    found = [texts[place] for place in sorted(texts)]
    assert _responses_texts(events[-1]["response"]) == found
    return found


def _messages_body(prompt: Any, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": "m", "max_tokens": 64, "messages": messages, **fields}


def _messages_texts(answer: Any) -> list[tuple[str, str]]:
    kinds = {"text": ("text", "text"), "thinking": ("reasoning", "thinking")}
    found = []
    for block in answer["content"]:
        if block["type"] == "tool_use":
            found.append(("call", orjson.dumps(block["input"]).decode()))
        else:
            kind, field = kinds[block["type"]]
            found.append((kind, block[field]))
    return found


def _messages_streamed(events: list[Any]) -> list[tuple[str, str]]:
    """What the deltas say; checks that blocks begin and end as they must."""
    assert events[0]["type"] == "message_start"
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    kinds = {"text": "text", "thinking": "reasoning", "tool_use": "call"}
    found: list[tuple[str, str]] = []
    is_open = False
    for event in events[1:-2]:
        if event["type"] == "content_block_start":
            assert not is_open
            assert event["index"] == len(found)
            is_open = True
            found.append((kinds[event["content_block"]["type"]], ""))
        elif event["type"] == "content_block_stop":
            assert is_open
            is_open = False
        else:
            assert is_open
            delta = event["delta"]
            kind, text = found[-1]
            text += delta.get("text") or delta.get("thinking") or delta.get("partial_json") or ""
            found[-1] = (kind, text)
    assert not is_open
    return found


RESPONSES = Typed(
    "/v1/responses",
    _responses_body,
    answers.response,
    answers.response_events,
    _responses_texts,
    _responses_ending,
    _responses_streamed,
    lambda events: _responses_ending(events[-1]["response"]),
    ("incomplete", "content_filter"),
)
MESSAGES = Typed(
    "/v1/messages",
    _messages_body,
    answers.message,
    answers.message_events,
    _messages_texts,
    lambda answer: answer["stop_reason"],
    _messages_streamed,
    lambda events: events[-2]["delta"]["stop_reason"],
    "refusal",
)
ENDPOINTS = (RESPONSES, MESSAGES)


def stream_bytes(proxy: Proxy, path: str, body: Any) -> bytes:
    """The bytes of a streamed answer."""
    asked = {**body, "stream": True}
    with httpx.stream("POST", proxy.url + path, json=asked, timeout=WAIT) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        return response.read()


def parsed(raw: bytes) -> list[Any]:
    """The events; checks that each has its type as its name."""
    found = []
    for block in raw.decode().split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if not lines:
            continue
        name, data = lines
        event = orjson.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


def pieces_of(parts: Sequence[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Each text one character a piece."""
    return [(kind, list(text)) for kind, text in parts]
