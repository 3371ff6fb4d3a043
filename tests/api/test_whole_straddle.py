"""A whole answer of blocks or items: no secret lies across two of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from guard.api.chat import Chat
from guard.api.endpoint import Endpoint
from guard.api.messages_api import Messages
from guard.api.phases import told
from guard.api.responses import Responses
from guard.api.stream import AnswerFilter
from guard.asked import Asked
from guard.enforcement import Binding, PhraseCache
from tests.support.policies import SECRET, policy

BINDING = Binding((policy("Harry Potter", texts=(SECRET,)),), PhraseCache())
ONE, OTHER = SECRET[:20], SECRET[20:]
CALL = orjson.dumps({"b": OTHER}).decode()


def blocks(*found: dict[str, Any]) -> dict[str, Any]:
    return {"content": list(found)}


def items(*found: dict[str, Any]) -> dict[str, Any]:
    return {"object": "response", "output": list(found)}


def use(**given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": "t", "name": "f", "input": given}


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "content": [{"type": "output_text", "text": text}]}


def call(arguments: str) -> dict[str, Any]:
    return {"type": "function_call", "name": "f", "arguments": arguments}


def calls(*arguments: str) -> dict[str, Any]:
    said = [{"function": {"name": "f", "arguments": one}} for one in arguments]
    return {"choices": [{"index": 0, "message": {"content": None, "tool_calls": said}}]}


THOUGHT = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": ONE}]}
ANSWERS = {
    "text, then a tool's input": (Messages(), blocks({"type": "text", "text": ONE}, use(a=OTHER))),
    "thinking, then a tool's input": (
        Messages(),
        blocks({"type": "thinking", "thinking": ONE}, use(a="so", b=[OTHER])),
    ),
    "the inputs of two tools": (Messages(), blocks(use(a=ONE), use(b={"id": OTHER}))),
    "text, then arguments": (Responses(), items(message(ONE), call(CALL))),
    "reasoning, then arguments": (Responses(), items(THOUGHT, call(CALL))),
    "arguments of two items": (Responses(), items(call(f'{{"a": "{ONE}"}}'), call(CALL))),
    "arguments of two calls": (Chat(), calls(f'{{"a": "{ONE}"}}', CALL)),
}


@pytest.mark.parametrize(("endpoint", "answer"), ANSWERS.values(), ids=ANSWERS)
def test_neither_half_leaves(endpoint: Endpoint, answer: dict[str, Any]) -> None:
    asked = Asked("m", False, 1)
    left = AnswerFilter(endpoint.shape(asked), BINDING, asked).whole(orjson.dumps(answer))
    assert ONE[4:].encode() not in left
    assert OTHER[:16].encode() not in left


@pytest.mark.parametrize(
    ("path", "word"),
    [
        (("content", 1, "input", "a"), ("input",)),
        (("content", 1, "input", "text"), ("text",)),
        (("content", 0, "id"), ()),
        (("content", 0, "citations", 0, "cited_text"), ()),
        (("output", 2, "arguments"), ("arguments",)),
        (("output", 0, "content", 0, "text"), ("text",)),
        (("output", 0, "name"), ()),
    ],
)
def test_what_is_said_is_told_from_what_names(path: tuple[object, ...], word: tuple[str]) -> None:
    assert told(path) == word
