"""The scripted bodies against vLLM's own response models, where vLLM is installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.answers import (
    chat_chunks,
    chat_completion,
    completion_chunks,
    error,
    text_completion,
)

CHAT = "vllm.entrypoints.openai.chat_completion.protocol"
TEXT = "vllm.entrypoints.openai.completion.protocol"
ENGINE = "vllm.entrypoints.serve.engine.protocol"

needs_vllm = pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="needs vllm")


def dumped(module: str, model: str, body: dict[str, Any], **how: bool) -> Any:
    """`body` through vLLM's model and back, as its serving code dumps it."""
    parsed = getattr(importlib.import_module(module), model).model_validate(body)
    return parsed.model_dump(mode="json", **how)


@needs_vllm
@pytest.mark.parametrize(
    ("module", "model", "body"),
    [
        (CHAT, "ChatCompletionResponse", chat_completion("one", "two")),
        (CHAT, "ChatCompletionResponse", chat_completion(None, message={"reasoning": "because"})),
        (TEXT, "CompletionResponse", text_completion("one", "two", finish_reason="length")),
        (ENGINE, "ErrorResponse", error("no")),
    ],
)
def test_whole_answers_carry_every_field_that_vllm_writes(
    module: str, model: str, body: dict[str, Any]
) -> None:
    assert dumped(module, model, body) == body
    assert list(dumped(module, model, body)) == list(body)


@needs_vllm
@pytest.mark.parametrize(
    ("module", "model", "chunks"),
    [
        (CHAT, "ChatCompletionStreamResponse", chat_chunks),
        (TEXT, "CompletionStreamResponse", completion_chunks),
    ],
)
@pytest.mark.parametrize("n", [1, 3])
def test_chunks_are_what_vllm_dumps(
    module: str, model: str, chunks: Callable[..., list[dict[str, Any]]], n: int
) -> None:
    for chunk in chunks(["one", "two"], n=n, with_usage=True):
        assert dumped(module, model, chunk, exclude_unset=True) == chunk


def test_every_choice_of_a_stream_finishes_once_with_its_last_piece() -> None:
    choices = [c for chunk in chat_chunks(["a", "b"], n=2) for c in chunk["choices"]]
    finished = [(c["index"], c["delta"]) for c in choices if c["finish_reason"]]
    assert finished == [(0, {"content": "b"}), (1, {"content": "b"})]
    texts = [
        "".join(c["delta"].get("content", "") for c in choices if c["index"] == i) for i in (0, 1)
    ]
    assert texts == ["ab", "ab"]
