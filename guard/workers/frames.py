"""Messages on a byte stream: four bytes of length, most significant first, then JSON."""

from __future__ import annotations

from typing import Any

import orjson

_HEAD = 4
# Far above any request body or policy set: a longer one means that the stream is out of step.
MAX_BYTES = 256 * 1024 * 1024


class FrameError(Exception):
    """What came is not a frame, or what should go does not fit one."""


def frame(message: Any) -> bytes:
    """`message` as one frame. Raises FrameError when JSON cannot hold it, or it is too long."""
    try:
        body = orjson.dumps(message)
    except orjson.JSONEncodeError:
        raise FrameError("a message cannot be written as JSON") from None
    if len(body) > MAX_BYTES:
        raise FrameError(f"a message of {len(body)} bytes is longer than {MAX_BYTES}")
    return len(body).to_bytes(_HEAD, "big") + body


class FrameReader:
    """Bytes in, messages out, however the bytes were cut."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max = max_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The messages that are now complete. Raises FrameError; the stream is then of no use."""
        self._buffer += data
        messages = []
        start = 0
        while len(self._buffer) - start >= _HEAD:
            body = start + _HEAD
            length = int.from_bytes(self._buffer[start:body], "big")
            if length > self._max:
                raise FrameError(f"a frame of {length} bytes is longer than {self._max}")
            if len(self._buffer) - body < length:
                break
            try:
                messages.append(orjson.loads(self._buffer[body : body + length]))
            except orjson.JSONDecodeError:
                raise FrameError("a frame is not JSON") from None
            start = body + length
        del self._buffer[:start]
        return messages
