"""What goes on of a flagged request, and what is read of its answer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from guard.errors import UpstreamGarbage
from guard.reasoning.request import answered, put
from guard.treatments import Told
from tests.support.upstream import chat_completion, text_completion

REQUEST = {
    "model": "m",
    "messages": [{"role": "user", "content": "Marie Curie?"}],
    "prompt": "Marie Curie?",
    "temperature": 0.5,
    "seed": 7,
    "top_p": None,
    "n": 2,
    "stream": True,
    "tools": [{"type": "function"}],
    "stop": ["policy"],
    "response_format": {"type": "json_object"},
    "chat_template_kwargs": {"enable_thinking": True, "extra": "Marie Curie"},
    "metadata": {"a": "b"},
}


def test_only_how_the_model_samples_goes_on() -> None:
    chat = orjson.loads(put(REQUEST, ["guarded"], 512, chat=True))
    assert chat == {
        "model": "m",
        "temperature": 0.5,
        "seed": 7,
        "n": 2,
        "max_tokens": 512,
        "messages": [{"role": "user", "content": "guarded"}],
        "chat_template_kwargs": {"enable_thinking": False},
    }
    text = orjson.loads(put(REQUEST, ["one", "two"], 512, chat=False))
    assert text["prompt"] == ["one\n\nAnswer:", "two\n\nAnswer:"]
    assert "messages" not in text


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        ({}, 512),
        ({"max_tokens": 9}, 9),
        ({"max_completion_tokens": 9, "max_tokens": 20}, 9),
        ({"max_output_tokens": 9}, 9),
        ({"max_tokens": 4096}, 512),
        ({"max_tokens": 0}, 512),
        ({"max_tokens": "9"}, 512),
        ({"max_tokens": True}, 512),
    ],
)
def test_an_answer_has_a_bound(asked: dict[str, Any], most: int) -> None:
    assert orjson.loads(put({"model": "m", **asked}, ["p"], 512, chat=True))["max_tokens"] == most


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (chat_completion("Yes.", "No."), [Told("Yes.", "stop"), Told("No.", "stop")]),
        (chat_completion("Yes", "No", finish_reason="length"), [Told("Yes", "length")] * 1),
        (chat_completion("a", None, finish_reason="tool_calls"), [Told("a"), Told("")]),
        (
            chat_completion("a", "b", message={"reasoning": "the policy says"}),
            [Told("a", "stop"), Told("b", "stop")],
        ),
        (chat_completion("<think>hm</think>\n a", "<think>hm"), [Told("a", "stop")]),
        (text_completion(" Yes.", "No."), [Told("Yes.", "stop"), Told("No.", "stop")]),
    ],
)
def test_the_plain_text_of_every_lane_is_read(answer: Any, said: list[Told]) -> None:
    found, tokens = answered(orjson.dumps(answer), 2)
    assert found[: len(said)] == said
    assert tokens == answer["usage"]["completion_tokens"]


@pytest.mark.parametrize(
    "answer",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"choices": [1]}',
        b'{"choices": [{"index": [], "text": "a", "finish_reason": "stop"}]}',
        orjson.dumps(chat_completion("one lane of two")),
    ],
)
def test_anything_else_is_no_answer(answer: bytes) -> None:
    with pytest.raises(UpstreamGarbage):
        answered(answer, 2)
