"""Answers of `/v1/responses`, `/v1/messages` and `/v1/embeddings` as vLLM 0.32 writes them.

Fields, their order and the sequence of events follow `vllm/entrypoints/openai/responses` and
`vllm/entrypoints/anthropic`; `tests/support/test_typed_answers.py` holds them against its models.
An answer is made of parts: `("reasoning", text)`, `("text", text)` or `("call", arguments)`; a
stream of it cuts each text into the given pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from tests.support.answers import CREATED, MODEL, Json

Parts = Sequence[tuple[str, str]]
Pieces = Sequence[tuple[str, Sequence[str]]]

RESPONSE_ID = "resp_8f1c2d3e4a5b6c7d"
MESSAGE_ID = "chatcmpl-8f1c2d3e4a5b6c7d"


def named(events: Iterable[Json]) -> list[bytes]:
    """Server-sent events with their types as names."""
    return [
        b"event: " + event["type"].encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n"
        for event in events
    ]


# --- responses ---------------------------------------------------------------------------------


def response(parts: Parts, **fields: Any) -> Json:
    """A whole Responses answer."""
    return {
        "id": RESPONSE_ID,
        "created_at": CREATED,
        "incomplete_details": None,
        "instructions": None,
        "metadata": None,
        "model": MODEL,
        "object": "response",
        "output": [_item(place, kind, text) for place, (kind, text) in enumerate(parts)],
        "parallel_tool_calls": True,
        "temperature": 0.0,
        "tool_choice": "none",
        "tools": [],
        "top_p": 1.0,
        "background": False,
        "max_output_tokens": 64,
        "max_tool_calls": None,
        "previous_response_id": None,
        "prompt": None,
        "reasoning": None,
        "service_tier": "auto",
        "status": "completed",
        "text": None,
        "top_logprobs": None,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 12,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 8,
            "output_tokens_details": {"reasoning_tokens": 0, "tool_output_tokens": 0},
            "total_tokens": 20,
        },
        "user": None,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "kv_transfer_params": None,
        "ec_transfer_params": None,
        "input_messages": None,
        "output_messages": None,
        **fields,
    }


def _item(place: int, kind: str, text: str, status: str = "completed") -> Json:
    if kind == "text":
        return {
            "id": f"msg_{place}",
            "content": [_part(kind, text)] if text else [],
            "role": "assistant",
            "status": status,
            "type": "message",
            "phase": None,
        }
    if kind == "reasoning":
        return {
            "id": f"rs_{place}",
            "summary": [],
            "type": "reasoning",
            "content": [_part(kind, text)] if text else None,
            "encrypted_content": None,
            "status": status,
        }
    return {
        "arguments": text,
        "call_id": f"call_{place}",
        "name": "find",
        "type": "function_call",
        "id": f"fc_{place}",
        "namespace": None,
        "status": status,
    }


def _part(kind: str, text: str) -> Json:
    if kind == "reasoning":
        return {"text": text, "type": "reasoning_text"}
    return {"annotations": [], "text": text, "type": "output_text", "logprobs": None}


def response_events(pieces: Pieces, **fields: Any) -> list[Json]:
    """The events of a Responses stream."""
    parts = [(kind, "".join(texts)) for kind, texts in pieces]
    begun = {**response([], **fields), "status": "in_progress", "usage": None}
    events: list[Json] = [
        {"response": begun, "type": "response.created"},
        {"response": begun, "type": "response.in_progress"},
    ]
    for place, (kind, texts) in enumerate(pieces):
        events += _item_events(place, kind, texts)
    events.append({"response": response(parts, **fields), "type": "response.completed"})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _item_events(place: int, kind: str, texts: Sequence[str]) -> list[Json]:
    text = "".join(texts)
    at: Json = {"output_index": place}
    added = {**at, "item": _item(place, kind, "", "in_progress")}
    done = {**at, "item": _item(place, kind, text), "type": "response.output_item.done"}
    at["item_id"] = added["item"]["id"]
    events = [{**added, "type": "response.output_item.added"}]
    if kind == "call":
        name = "response.function_call_arguments"
        events += [{**at, "delta": piece, "type": f"{name}.delta"} for piece in texts]
        return [*events, {**at, "arguments": text, "name": "find", "type": f"{name}.done"}, done]
    at["content_index"] = 0
    name = "response.output_text" if kind == "text" else "response.reasoning_text"
    extra: Json = {"logprobs": []} if kind == "text" else {}
    part = {**_part(kind, ""), **extra}
    events.append({**at, "part": part, "type": "response.content_part.added"})
    events += [{**at, "delta": piece, **extra, "type": f"{name}.delta"} for piece in texts]
    events.append({**at, "text": text, **extra, "type": f"{name}.done"})
    events.append({**at, "part": _part(kind, text), "type": "response.content_part.done"})
    return [*events, done]


# --- messages ----------------------------------------------------------------------------------


def message(parts: Parts, **fields: Any) -> Json:
    """A whole Messages answer: vLLM leaves nulls out. A call's text is its input as JSON."""
    return {
        "id": MESSAGE_ID,
        "type": "message",
        "role": "assistant",
        "content": [_block(place, kind, text) for place, (kind, text) in enumerate(parts)],
        "model": MODEL,
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 12, "output_tokens": 8},
        **fields,
    }


def _block(place: int, kind: str, text: str, *, begun: bool = False) -> Json:
    if kind == "text":
        return {"type": "text", "text": text}
    if kind == "reasoning":
        block: Json = {"type": "thinking", "thinking": text}
        return block if begun else {**block, "signature": "5f1e"}
    made: Json = {"type": "tool_use", "id": f"call_{place}", "name": "find"}
    return {**made, "input": {} if begun else orjson.loads(text)}


def message_events(pieces: Pieces, *, stop_reason: str = "end_turn") -> list[Json]:
    """The events of a Messages stream."""
    start = {**message([]), "stop_reason": None, "stop_sequence": None}
    start["usage"] = {"input_tokens": 12, "output_tokens": 0}
    events: list[Json] = [{"type": "message_start", "message": start}]
    deltas = {
        "text": ("text_delta", "text"),
        "reasoning": ("thinking_delta", "thinking"),
        "call": ("input_json_delta", "partial_json"),
    }
    for place, (kind, texts) in enumerate(pieces):
        block = _block(place, kind, "", begun=True)
        events.append({"type": "content_block_start", "index": place, "content_block": block})
        name, field = deltas[kind]
        told = [{"type": name, field: piece} for piece in texts]
        if kind == "reasoning":
            told.append({"type": "signature_delta", "signature": "5f1e"})
        events += [{"type": "content_block_delta", "index": place, "delta": each} for each in told]
        events.append({"type": "content_block_stop", "index": place})
    end = {"stop_reason": stop_reason, "stop_sequence": None}
    usage = {"input_tokens": 12, "output_tokens": 8}
    return [
        *events,
        {"type": "message_delta", "delta": end, "usage": usage},
        {"type": "message_stop"},
    ]


# --- embeddings --------------------------------------------------------------------------------


def embeddings(*vectors: Any) -> Json:
    """A whole embeddings answer."""
    return {
        "id": "embd-8f1c2d3e4a5b6c7d",
        "object": "list",
        "created": CREATED,
        "model": MODEL,
        "data": [
            {"index": index, "object": "embedding", "embedding": vector}
            for index, vector in enumerate(vectors)
        ],
        "usage": {
            "prompt_tokens": 4,
            "total_tokens": 4,
            "completion_tokens": 0,
            "prompt_tokens_details": None,
            "completion_tokens_details": None,
        },
    }
