"""The scripted answers are what the installed vLLM's own models take and the clients read."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from tests.support.typed_answers import (
    embeddings,
    message,
    message_events,
    response,
    response_events,
)

PARTS = [("reasoning", "so"), ("text", "It was"), ("call", '{"a": 1}')]
PIECES = [(kind, [text[:1], text[1:]]) for kind, text in PARTS]


def test_a_responses_answer_is_one_of_vllm() -> None:
    pytest.importorskip("vllm")
    from vllm.entrypoints.openai.responses.protocol import ResponsesResponse

    ResponsesResponse.model_validate(response(PARTS))
    assert response(PARTS).keys() == ResponsesResponse.model_fields.keys() - {"metrics"}


def test_responses_events_are_those_of_the_client() -> None:
    event_type = TypeAdapter[Any](ResponseStreamEvent)
    for number, event in enumerate(response_events(PIECES)):
        assert event["sequence_number"] == number
        if "response" not in event:  # vLLM's answer leaves out what the client's model has since
            event_type.validate_python(event)


def test_messages_answers_are_those_of_vllm_and_of_the_client() -> None:
    pytest.importorskip("vllm")
    from anthropic.types import Message
    from vllm.entrypoints.anthropic.protocol import (
        AnthropicMessagesResponse,
        AnthropicStreamEvent,
    )

    AnthropicMessagesResponse.model_validate(message(PARTS))
    Message.model_validate({"stop_sequence": None, **message([("text", "x")])})
    for event in message_events(PIECES):
        AnthropicStreamEvent.model_validate(event)


def test_an_embeddings_answer_is_one_of_vllm() -> None:
    pytest.importorskip("vllm")
    from vllm.entrypoints.pooling.embed.protocol import EmbeddingResponse

    answer = embeddings([0.5, -0.5], "AAAAPw==")
    assert EmbeddingResponse.model_validate(answer).model_dump() == answer
