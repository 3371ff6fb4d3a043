"""Bodies as vLLM 0.32 writes them.

Fields, their order and which nulls are present follow vLLM's response models
(`vllm/entrypoints/openai/chat_completion/protocol.py`, `completion/protocol.py`) and how its
serving code dumps them: whole answers with every null, stream chunks without unset fields.
`tests/support/test_answers.py` holds them against those models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

Json = dict[str, Any]

MODEL = "tiny-model"
CREATED = 1_790_000_000
CHAT_ID = "chatcmpl-8f1c2d3e4a5b6c7d"
TEXT_ID = "cmpl-8f1c2d3e4a5b6c7d"
DONE = "[DONE]"


def sse(*events: Json | str | bytes, done: bool = False) -> list[bytes]:
    """Server-sent events, one `bytes` each: a dict as JSON, a str as data, bytes as they are."""
    if done:
        events = (*events, DONE)
    return [_event(event) for event in events]


def _event(event: Json | str | bytes) -> bytes:
    if isinstance(event, bytes):
        return event
    data = orjson.dumps(event) if isinstance(event, dict) else event.encode()
    return b"data: " + data + b"\n\n"


def usage(prompt_tokens: int, completion_tokens: int, *, stream: bool = False) -> Json:
    """Token counts; in a stream vLLM leaves the null details out."""
    counts: Json = {
        "prompt_tokens": prompt_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "completion_tokens": completion_tokens,
    }
    details = {"prompt_tokens_details": None, "completion_tokens_details": None}
    return counts if stream else counts | details


def chat_completion(
    *texts: str | None,
    model: str = MODEL,
    finish_reason: str = "stop",
    message: Json | None = None,
    logprobs: Json | None = None,
) -> Json:
    """A whole chat answer, one choice a text; `message` adds or replaces message fields."""
    choices = [
        {
            "index": index,
            "message": {
                "role": "assistant",
                "content": text,
                "refusal": None,
                "annotations": None,
                "audio": None,
                "function_call": None,
                "reasoning": None,
                **(message or {}),
            },
            "logprobs": logprobs,
            "finish_reason": finish_reason,
            "stop_reason": None,
            "token_ids": None,
            "routed_experts": None,
        }
        for index, text in enumerate(texts)
    ]
    return {
        "id": CHAT_ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": choices,
        "service_tier": None,
        "system_fingerprint": None,
        "usage": usage(12, 8 * len(texts)),
        "prompt_logprobs": None,
        "prompt_token_ids": None,
        "prompt_text": None,
        "kv_transfer_params": None,
        "ec_transfer_params": None,
        "metrics": None,
    }


def text_completion(
    *texts: str,
    model: str = MODEL,
    finish_reason: str = "stop",
    logprobs: Json | None = None,
) -> Json:
    """A whole text completion, one choice a text."""
    choices = [
        {
            "index": index,
            "text": text,
            "logprobs": logprobs,
            "finish_reason": finish_reason,
            "stop_reason": None,
            "token_ids": None,
            "prompt_logprobs": None,
            "prompt_token_ids": None,
            "routed_experts": None,
        }
        for index, text in enumerate(texts)
    ]
    return {
        "id": TEXT_ID,
        "object": "text_completion",
        "created": CREATED,
        "model": model,
        "choices": choices,
        "service_tier": None,
        "system_fingerprint": None,
        "usage": usage(12, 8 * len(texts)),
        "kv_transfer_params": None,
        "ec_transfer_params": None,
        "metrics": None,
    }


def chat_chunk(
    delta: Json,
    *,
    index: int = 0,
    model: str = MODEL,
    finish_reason: str | None = None,
    logprobs: Json | None = None,
) -> Json:
    """One `chat.completion.chunk` with one choice."""
    choice: Json = {
        "index": index,
        "delta": delta,
        "logprobs": logprobs,
        "finish_reason": finish_reason,
    }
    if finish_reason is not None:
        choice["stop_reason"] = None
    if "role" not in delta:
        choice["token_ids"] = None
    return _chunk("chat.completion.chunk", CHAT_ID, model, [choice])


def chat_chunks(
    pieces: Sequence[str],
    *,
    n: int = 1,
    finish_reason: str = "stop",
    with_usage: bool = False,
    model: str = MODEL,
    field: str = "content",
) -> list[Json]:
    """The chunks of a chat stream, without `[DONE]`: role, each piece for each choice, finish.

    As in vLLM the last piece travels with its `finish_reason`. `field` is the delta's key:
    `content`, `reasoning`.
    """
    chunks = [
        chat_chunk({"role": "assistant", "content": ""}, index=i, model=model) for i in range(n)
    ]
    for chunk in chunks:
        chunk |= {"prompt_token_ids": None, "prompt_text": None}
    last = len(pieces) - 1
    for position, piece in enumerate(pieces):
        reason = finish_reason if position == last else None
        chunks += [
            chat_chunk({field: piece}, index=i, model=model, finish_reason=reason) for i in range(n)
        ]
    if with_usage:
        chunks.append(_usage_chunk("chat.completion.chunk", CHAT_ID, model, n * len(pieces)))
    return chunks


def completion_chunks(
    pieces: Sequence[str],
    *,
    n: int = 1,
    finish_reason: str = "stop",
    with_usage: bool = False,
    model: str = MODEL,
) -> list[Json]:
    """The chunks of a text completion stream, without `[DONE]`."""
    chunks = []
    last = len(pieces) - 1
    for position, piece in enumerate(pieces):
        for index in range(n):
            choice = {
                "index": index,
                "text": piece,
                "logprobs": None,
                "finish_reason": finish_reason if position == last else None,
                "stop_reason": None,
                "prompt_token_ids": None,
                "token_ids": None,
            }
            chunks.append(_chunk("text_completion", TEXT_ID, model, [choice]))
    if with_usage:
        chunks.append(_usage_chunk("text_completion", TEXT_ID, model, n * len(pieces)))
    return chunks


def error(message: str, *, type: str = "BadRequestError", code: int = 400) -> Json:
    """vLLM's error body; in a stream it comes as one event before `[DONE]`."""
    return {"error": {"message": message, "type": type, "param": None, "code": code}}


def _chunk(kind: str, identity: str, model: str, choices: list[Json]) -> Json:
    return {
        "id": identity,
        "object": kind,
        "created": CREATED,
        "model": model,
        "choices": choices,
    }


def _usage_chunk(kind: str, identity: str, model: str, completion_tokens: int) -> Json:
    return _chunk(kind, identity, model, []) | {"usage": usage(12, completion_tokens, stream=True)}
