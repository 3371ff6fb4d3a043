"""Where the strings of a JSON text begin and end, piece by piece; strings inside strings too.

Arguments of a tool may hold JSON again, as a string, and that more JSON. How many backslashes stand
before a quotation mark tells which of them it belongs to: none or an even number the outermost, one
(or five, nine, ...) a string inside that, three (or eleven, ...) one inside that again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Kind = Literal["opens", "closes", "text", "key"]
OPENS: Kind = "opens"
CLOSES: Kind = "closes"
TEXT: Kind = "text"
KEY: Kind = "key"

# A quotation mark with the backslashes before it, or those that end a piece.
_SIGNS = re.compile(r'(\\*)"|(\\+)\Z')


class Mark(NamedTuple):
    """A string of a level opens or closes (with those inside it), the last one turns out to be a
    key, or a stretch of `text`, as it is written. `at`: where, in the piece."""

    kind: Kind
    level: int
    text: str
    at: int


class Strings:
    """The state machine: `feed` pieces of one JSON text."""

    __slots__ = ("_closed", "_open", "_slashes")

    def __init__(self) -> None:
        self._open: list[int] = []
        self._slashes = 0
        self._closed = False  # a string just now; what comes next tells whether it was a key

    def feed(self, text: str) -> Iterator[Mark]:
        """The marks of a piece in order. Their texts together are what is written, without the
        backslashes of quotation marks; of those that end a piece the next one tells."""
        waiting = self._slashes
        if waiting and (rest := text.lstrip("\\")) and rest[0] != '"':
            self._slashes = 0
            yield from self._after_close("\\", 0)
            yield Mark(TEXT, 0, "\\" * waiting, 0)
        begin = last = 0
        for found in _SIGNS.finditer(text):
            at = found.start()
            yield from self._after_close(text[last:at], last)
            yield from _stretch(text, begin, at)
            begin = last = found.end()
            slashes = self._slashes if at == 0 else 0
            if found[2]:
                self._slashes = slashes + len(found[2])
                return
            self._slashes = 0
            yield from self._quoted(_trailing_ones(slashes + len(found[1])), begin)
        yield from self._after_close(text[last:], last)
        yield from _stretch(text, begin, len(text))

    def _quoted(self, level: int, end: int) -> Iterator[Mark]:
        """A quotation mark of a level, which ends at `end`. Strings around it have it as text."""
        if level in self._open:
            self._open = self._open[: self._open.index(level)]
            self._closed = True
            yield Mark(CLOSES, level, "", end)
            if self._open:
                yield Mark(TEXT, 0, '"', end - 1)
            return
        if self._open:
            yield Mark(TEXT, 0, '"', end - 1)
        if not self._open or level > self._open[-1]:
            self._open.append(level)
            self._closed = False
            yield Mark(OPENS, level, "", end)

    def _after_close(self, text: str, at: int) -> Iterator[Mark]:
        following = text.lstrip()[:1] if self._closed else ""
        if following:
            self._closed = False
            if following == ":":
                yield Mark(KEY, 0, "", at)


def _stretch(text: str, begin: int, end: int) -> Iterator[Mark]:
    if begin < end:
        yield Mark(TEXT, 0, text[begin:end], begin)


def _trailing_ones(count: int) -> int:
    return ((count + 1) & ~count).bit_length() - 1
