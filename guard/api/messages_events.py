"""Answers, events and errors of `/v1/messages` in our own words."""

from __future__ import annotations

import uuid
from typing import Any

REFUSAL = "refusal"

# The protocol's own types of errors, by status (Anthropic's API reference, "Errors").
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
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


def refused(model: str, message: str) -> dict[str, Any]:
    """A whole answer that refuses."""
    return {
        **_head(model),
        "content": [{"type": "text", "text": message}],
        "stop_reason": REFUSAL,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def refused_events(model: str, message: str) -> list[dict[str, Any]]:
    """The same as a stream of events."""
    return [
        start(model),
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": message},
        },
        {"type": "content_block_stop", "index": 0},
        *stop({"input_tokens": 0, "output_tokens": 0}),
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


def stop(usage: dict[str, Any]) -> list[dict[str, Any]]:
    """The events that end a stream because of a filter."""
    delta = {"stop_reason": REFUSAL, "stop_sequence": None}
    return [{"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]


def _head(model: str) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "model": model,
    }
