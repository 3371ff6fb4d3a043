"""The fields of the installed vLLM's request and response models, by endpoint."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

Model = type[BaseModel]
# Not served at all: no detector sees what such an item asks for, or it is not text. Their fields
# are taken out as unknown ones, or read as part of an open field.
_NOT_SERVED = ("ImageGenerationCall", "AdditionalTools", "Program", "ResponseCompactionItem")


def requests(endpoint: str) -> list[Model]:
    """The models of an endpoint's requests."""
    from vllm.entrypoints.anthropic.protocol import AnthropicMessagesRequest
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
    from vllm.entrypoints.openai.completion.protocol import CompletionRequest
    from vllm.entrypoints.openai.responses.protocol import ResponsesRequest
    from vllm.entrypoints.pooling.embed.protocol import EmbeddingRequest

    one: dict[str, Any] = {
        "chat": ChatCompletionRequest,
        "completions": CompletionRequest,
        "responses": ResponsesRequest,
        "messages": AnthropicMessagesRequest,
    }
    return [one[endpoint]] if endpoint in one else list(_models(EmbeddingRequest))


def answer_fields(endpoint: str) -> Mapping[str, set[str]]:
    """The fields at the top of whole answers, at the top of events, and of what is in them."""
    from vllm.entrypoints.anthropic import protocol as anthropic
    from vllm.entrypoints.openai.chat_completion import protocol as chat
    from vllm.entrypoints.openai.completion import protocol as completion
    from vllm.entrypoints.openai.responses import protocol as responses
    from vllm.entrypoints.pooling.embed.protocol import EmbeddingResponse, EmbeddingResponseData
    from vllm.entrypoints.serve.engine import protocol as engine

    if endpoint == "chat":
        return {
            "answer": _names([chat.ChatCompletionResponse, chat.ChatCompletionStreamResponse]),
            "event": set(),
            "inside": _names(
                [
                    chat.ChatCompletionResponseChoice,
                    chat.ChatCompletionResponseStreamChoice,
                    *_models(chat.ChatCompletionResponseChoice.model_fields["message"].annotation),
                    *_models(
                        chat.ChatCompletionResponseStreamChoice.model_fields["delta"].annotation
                    ),
                ]
            ),
        }
    if endpoint == "completions":
        return {
            "answer": _names([completion.CompletionResponse, completion.CompletionStreamResponse]),
            "event": set(),
            "inside": _names(
                [completion.CompletionResponseChoice, completion.CompletionResponseStreamChoice]
            ),
        }
    if endpoint == "responses":
        items = _models(responses.ResponsesResponse.model_fields["output"].annotation)
        return {
            "answer": _names([responses.ResponsesResponse]),
            "event": _names(_models(responses.StreamingResponsesResponse)),
            "inside": _names(item for item in items if item.__name__ not in _NOT_SERVED),
        }
    if endpoint == "messages":
        return {
            "answer": _names([anthropic.AnthropicMessagesResponse]),
            "event": _names([anthropic.AnthropicStreamEvent]),
            "inside": _names([anthropic.AnthropicContentBlock, anthropic.AnthropicDelta]),
        }
    if endpoint == "models":
        return {
            "answer": _names([engine.ModelList, engine.ModelCard]),
            "event": set(),
            "inside": _names([engine.ModelCard, engine.ModelPermission]),
        }
    return {
        "answer": _names([EmbeddingResponse]),
        "event": set(),
        "inside": _names([EmbeddingResponseData]),
    }


def _names(models: Iterable[Model]) -> set[str]:
    return {
        field.serialization_alias or field.alias or name
        for model in models
        for name, field in model.model_fields.items()
    }


def _models(annotation: Any) -> Iterator[Model]:
    """The models that an annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models(part)
