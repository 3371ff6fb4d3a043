"""What a scripted upstream answers: status, headers, body pieces, framing, and faults."""

from __future__ import annotations

import enum
import gzip as gzip_codec
import http.client
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import orjson


class Framing(enum.Enum):
    """How the end of a body is told (RFC 9112, section 6.3)."""

    CHUNKED = "chunked"
    LENGTH = "length"
    CLOSE = "close"


class Fault(enum.Enum):
    """What goes wrong. The `MID_BODY` ones take the place of the end of the body.

    Every scripted piece is sent first, so a test places the fault by scripting fewer pieces.
    """

    HANG_BEFORE_HEAD = "say nothing, keep the connection open"
    CLOSE_BEFORE_HEAD = "close the connection without a byte, as a stale keep-alive does"
    RESET_BEFORE_HEAD = "reset the connection without a byte"
    GARBAGE = "send the body pieces alone: no status line, no headers, then close"
    HANG_MID_BODY = "send no end, keep the connection open"
    RESET_MID_BODY = "reset the connection"
    CLOSE_MID_BODY = "close: a short content-length, or no terminal chunk"


@dataclass(frozen=True, slots=True)
class Piece:
    """One write of body bytes; chunked framing makes it one chunk.

    `delay`: seconds to wait before it. `gate`: sent only once the test has set the event.
    """

    data: bytes
    delay: float = 0.0
    gate: threading.Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One scripted answer.

    `delay`: seconds before the head, the prefill of a model. `gzip`: compress the body, one
    flushed piece at a time, and say so. `close`: announce and do `Connection: close`.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Sequence[bytes | Piece] = ()
    framing: Framing = Framing.CHUNKED
    fault: Fault | None = None
    delay: float = 0.0
    gzip: bool = False
    close: bool = False

    @classmethod
    def json(cls, content: Any, **fields: Any) -> Self:
        """`content` as one JSON body with a content-length, unless `fields` say otherwise."""
        headers = {"content-type": "application/json", **fields.pop("headers", {})}
        fields.setdefault("framing", Framing.LENGTH)
        return cls(body=[orjson.dumps(content)], headers=headers, **fields)

    @classmethod
    def events(
        cls, pieces: Sequence[bytes | Piece], *, spacing: float = 0.0, **fields: Any
    ) -> Self:
        """A chunked event stream of `pieces` (see `sse`), `spacing` seconds apart."""
        headers = {"content-type": "text/event-stream; charset=utf-8", **fields.pop("headers", {})}
        body = [p if isinstance(p, Piece) else Piece(p, delay=spacing) for p in pieces]
        return cls(body=body, headers=headers, **fields)

    def wire(self) -> tuple[bytes, list[Piece]]:
        """The head and the framed pieces as they go out, without the end of the body."""
        pieces = [p if isinstance(p, Piece) else Piece(p) for p in self.body]
        if self.fault is Fault.GARBAGE:
            return b"", pieces
        if self.gzip:
            pieces = _compressed(pieces)
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.gzip:
            lines.append("content-encoding: gzip")
        if self.framing is Framing.CHUNKED:
            lines.append("transfer-encoding: chunked")
            pieces = [
                Piece(b"%x\r\n%b\r\n" % (len(p.data), p.data), p.delay, p.gate) for p in pieces
            ]
        elif self.framing is Framing.LENGTH:
            # A body cut short by a fault promises a byte that never comes.
            promised = sum(len(p.data) for p in pieces) + (self.fault is not None)
            lines.append(f"content-length: {promised}")
        if self.closes:
            lines.append("connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1"), pieces

    @property
    def end(self) -> bytes:
        """The bytes after the last piece."""
        return b"0\r\n\r\n" if self.framing is Framing.CHUNKED and self.fault is None else b""

    @property
    def closes(self) -> bool:
        """Whether the server closes the connection after this answer."""
        return self.close or self.framing is Framing.CLOSE or self.fault is Fault.GARBAGE


def _phrase(status: int) -> str:
    return http.client.responses.get(status, "Unknown")


def _compressed(pieces: Sequence[Piece]) -> list[Piece]:
    """Each piece as its own gzip member: decodable as it arrives, and together."""
    return [Piece(gzip_codec.compress(p.data), p.delay, p.gate) for p in pieces]
