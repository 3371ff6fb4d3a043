"""Server-sent events (WHATWG HTML, section 9.2): bytes in any chunking to whole blocks.

A block is forwarded as the bytes that came, so the decoder keeps them beside what they say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from guard.errors import UpstreamGarbage

MAX_BLOCK = 4 * 1024 * 1024  # bytes of one event; a larger one is not a token delta
DONE = b"[DONE]"


class Block(NamedTuple):
    """One block: its bytes with the blank line that ends it, and its data, None for a comment."""

    raw: bytes
    data: bytes | None


class SSEDecoder:
    """`feed` bytes as they arrive, then `flush`. LF, CR and CRLF line ends, mixed.

    Raises UpstreamGarbage for a block over MAX_BLOCK bytes.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._scanned = 0

    def feed(self, chunk: bytes) -> Iterator[Block]:
        """The blocks that this chunk completes, one by one: those before a bad one are given."""
        if not self._pending and _is_plain(chunk):
            for plain in chunk[:-2].split(b"\n\n"):
                yield _parse(plain + b"\n\n")
            return
        self._pending += chunk
        while (end := self._block_end()) is not None:
            raw = bytes(self._pending[:end])
            del self._pending[:end]
            self._scanned = 0
            yield _parse(raw)
        if len(self._pending) > MAX_BLOCK:
            raise UpstreamGarbage("the model server sent an event that is too large")

    def flush(self) -> list[Block]:
        """A last block that no blank line ended. Lenient, as peers' servers forget it."""
        rest = bytes(self._pending)
        self._pending.clear()
        self._scanned = 0
        if not rest.strip():
            return []
        return [_parse(rest if rest.endswith((b"\n\n", b"\r\r")) else rest + b"\n\n")]

    def _block_end(self) -> int | None:
        """The offset just after the next blank line, or None; never looks at a byte twice."""
        pending = self._pending
        at = max(0, self._scanned - 3)
        while True:
            newline = _next_line_end(pending, at)
            if newline is None:
                self._scanned = len(pending)
                return None
            after = _after_line_end(pending, newline)
            if after is None or after >= len(pending):
                self._scanned = newline
                return None
            if pending[after] in b"\r\n":
                end = _after_line_end(pending, after)
                if end is None:
                    # A lone CR at the end of what has come: it ends the block, whether or not an
                    # LF follows; that LF would then be an empty line of the next block.
                    end = after + 1
                return end
            at = after


def _is_plain(chunk: bytes) -> bool:
    """Whole blocks with LF line ends and nothing between them: what nearly every read brings."""
    return chunk.endswith(b"\n\n") and b"\r" not in chunk and b"\n\n\n" not in chunk


def _next_line_end(data: bytearray, start: int) -> int | None:
    line_feed = data.find(b"\n", start)
    carriage = data.find(b"\r", start, line_feed if line_feed >= 0 else len(data))
    if carriage >= 0:
        return carriage
    return line_feed if line_feed >= 0 else None


def _after_line_end(data: bytearray, at: int) -> int | None:
    """The offset after the line end at `at`; None when a CR is last and an LF may follow."""
    if data[at] == 0x0A:
        return at + 1
    if at + 1 == len(data):
        return None
    return at + 2 if data[at + 1] == 0x0A else at + 1


def _parse(raw: bytes) -> Block:
    """The `data` of a block: its data lines joined; None when there are none."""
    if raw.startswith(b"data: ") and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw:
        return Block(raw, raw[6:-2])  # one line of data: nearly every block there is
    lines = []
    for line in raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line.startswith(b"data:"):
            lines.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line == b"data":
            lines.append(b"")
    return Block(raw, b"\n".join(lines) if lines else None)


def beside_data(block: Block) -> bytes:
    """What a block says besides its data: comments, event names, ids. Empty for nearly all."""
    if block.data is not None and len(block.raw) == len(block.data) + 8:
        return b""
    lines = block.raw.replace(b"\r", b"\n").split(b"\n")
    return b"\n".join(line for line in lines if line and not line.startswith(b"data:"))


def encode(data: bytes) -> bytes:
    """One event; each line of the data is one of its own."""
    return b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"
