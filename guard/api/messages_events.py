"""Answers, events and errors of `/v1/messages` in our own words."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from guard.treatments import Finish, Told

REFUSAL = "refusal"
_REASONS: Mapping[Finish, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": REFUSAL,
}

# The protocol's own types of errors, by status (Anthropic's API reference, "Errors").
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def error_body(
    *, message: str, type: str, code: str | None, param: str | None, status: int | None = None
) -> dict[str, Any]:
    """`{"type": "error", "error": {...}}`. With a `status` the type is the protocol's for it."""
    kind = type if status is None else _TYPES.get(status, "api_error")
    error = {"type": kind, "message": message, "code": code, "param": param}
    return {"type": "error", "error": error}


def told(model: str, said: Told, tokens: int) -> dict[str, Any]:
    """A whole answer of our own, of so many tokens."""
    return {
        **_head(model),
        "content": [{"type": "text", "text": said.text}],
        "stop_reason": _REASONS[said.finish],
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": tokens},
    }


def told_events(model: str, said: Told, tokens: int) -> list[dict[str, Any]]:
    """The same as a stream of events."""
    return [
        start(model),
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": said.text},
        },
        {"type": "content_block_stop", "index": 0},
        *stop({"input_tokens": 0, "output_tokens": tokens}, _REASONS[said.finish]),
    ]


def start(model: str) -> dict[str, Any]:
    """The event that begins a stream."""
    message = {
        **_head(model),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }
    return {"type": "message_start", "message": message}


def stop(usage: dict[str, Any], reason: str = REFUSAL) -> list[dict[str, Any]]:
    """The events that end a stream, because of a filter unless `reason` says otherwise."""
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [{"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]


def _head(model: str) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "model": model,
    }
