"""The one error shape (OpenAI's), and how our exceptions become it."""

from __future__ import annotations

from typing import Any

import orjson

from guard.errors import DetectorError, GuardError, RequestError, UpstreamError


def error_body(message: str, kind: str, code: str | None, param: str | None) -> dict[str, Any]:
    """`{"error": {"message", "type", "param", "code"}}`."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def describe(error: GuardError) -> tuple[int, dict[str, Any]]:
    """HTTP status and body for an exception; says nothing that the exception does not mean to."""
    if isinstance(error, RequestError):
        return error.status, error_body(error.message, error.type, error.code, error.param)
    if isinstance(error, UpstreamError):
        return error.status, error_body(error.message, "upstream_error", error.code, None)
    if isinstance(error, DetectorError):
        message = "This request could not be checked. Try again later."
        return 503, error_body(message, "service_unavailable", "guard_unavailable", None)
    return 500, error_body("Internal error.", "internal_error", "internal_error", None)


def error_bytes(error: GuardError) -> tuple[int, bytes]:
    """As `describe`, encoded."""
    status, body = describe(error)
    return status, orjson.dumps(body)
