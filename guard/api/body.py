"""The request body: bounded, strict JSON, with nothing that two parsers could read in two ways."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.types import Receive

from guard.errors import PayloadTooLarge, RequestError


class ClientGone(Exception):
    """The client closed the connection while its request was being read."""


async def read_body(receive: Receive, limit: int, seconds: float) -> bytes:
    """The whole body. Raises PayloadTooLarge past `limit` bytes, RequestError (408) when it is not
    there after `seconds`, ClientGone on disconnect."""
    try:
        async with asyncio.timeout(seconds):
            return await _read(receive, limit)
    except TimeoutError:
        message = "The request body did not arrive in time."
        raise RequestError(message, code="body_timeout", status=408) from None


async def _read(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise PayloadTooLarge(
                f"The request body is larger than {limit} bytes.", code="body_too_large"
            )
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`.

    Raises RequestError for anything else: invalid UTF-8 or JSON, duplicate keys, NaN or Infinity,
    nesting deeper than the parser allows. Error texts never quote the body.
    """
    try:
        parsed = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise RequestError("The request body is not UTF-8.", code="invalid_json") from None
    except json.JSONDecodeError as error:
        raise RequestError(
            f"The request body is not JSON: {error.msg} (line {error.lineno}, "
            f"column {error.colno}).",
            code="invalid_json",
        ) from None
    except RecursionError:
        raise RequestError("The request body is nested too deep.", code="invalid_json") from None
    except ValueError as error:  # an integer with more digits than Python converts
        if isinstance(error, _Refused):
            raise RequestError(str(error), code="invalid_json") from None
        message = "The request body has an unusable number."
        raise RequestError(message, code="invalid_json") from None
    if not isinstance(parsed, dict):
        raise RequestError("The request body must be a JSON object.", code="invalid_json")
    return parsed


class _Refused(ValueError):
    """JSON that is legal to some parsers and refused here."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise _Refused("The request body has an object with a duplicate key.")
    return unique


def _no_constant(name: str) -> Any:
    raise _Refused(f"The request body has the value {name}, which is not JSON.")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
