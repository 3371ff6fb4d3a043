"""Adds the engine's arguments to a request's bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

FIELD = "vllm_xargs"


def with_xargs(body: bytes, arguments: Mapping[str, Any]) -> bytes:
    """A JSON object's bytes with one field more.

    The rest stays byte for byte: `body` was parsed and found to be an object with fields, and
    clients may not send this one (the field contract refuses it).
    """
    if not arguments:
        return body
    opened = body.index(b"{") + 1
    field = orjson.dumps({FIELD: arguments})[1:-1]
    return body[:opened] + field + b"," + body[opened:]
