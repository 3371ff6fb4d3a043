"""The streams of decoded text that `runs.py` fills: bits to bytes, bytes to code points.

A stream's buffer holds code points, each with the raw characters [start, end) that it came from.
Between stretches of text it holds `BREAK`: no phrase goes on over it. The state of a run and of its
streams is the last part of the walk's own array: a header, then the fields of each stream.
"""

from __future__ import annotations

from typing import Any

from guard.restrict.compiled import njit
from guard.restrict.state import RUNS
from guard.restrict.walk import BREAK

BASE64, HEX = 4, 2  # streams of each
STREAMS = BASE64 + HEX

WINDOW = 8  # characters that are read again when a run turns out to be worth all offsets
STEP_ROOM = 2 * WINDOW  # the most one character can add to a stream, with room to spare
CAPACITY = 512  # code points a stream's buffer takes before it has to be emptied

# The header, and a stream's fields.
POS, READ, LIVE, HELD, ROOM = range(5)
STAGE, LENGTH, PACKED, SEGMENT, BEGIN, GAPS, SLASH, DIRTY = range(5, 13)
H_STAGE, H_GAPS, BEGUN = range(13, 16)
HEADER = 16
BITS, ACC, BYTE_AT, MORE, VALUE, LEAST, POINT_AT, SAID, COUNT = range(9)
FIELDS = 9


if HEADER + STREAMS * FIELDS != RUNS:
    raise AssertionError("the walk's state has another size for runs")


@njit
def say(state: Any, points: Any, spans: Any, stream: int, point: int, at: int, end: int) -> None:
    """Put one code point, of the raw characters [at, end), on a stream."""
    field = HEADER + stream * FIELDS
    count = state[field + COUNT]
    points[stream, count] = point
    spans[stream, count, 0] = at
    spans[stream, count, 1] = end
    state[field + COUNT] = count + 1
    state[field + SAID] = 1
    state[ROOM] = min(state[ROOM], points.shape[1] - count - 1)


@njit
def start_byte(state: Any, stream: int) -> None:
    """A stream's next character begins a byte, and a code point."""
    field = HEADER + stream * FIELDS
    state[field + BITS] = 0
    state[field + ACC] = 0
    state[field + MORE] = 0


@njit
def stop(state: Any, points: Any, spans: Any, stream: int, at: int) -> None:
    """What a stream has said so far ends here; its next byte begins anew."""
    field = HEADER + stream * FIELDS
    if state[field + SAID] == 1:
        say(state, points, spans, stream, BREAK, at, at + 1)
        state[field + SAID] = 0
    start_byte(state, stream)


@njit
def put_byte(
    state: Any, points: Any, spans: Any, stream: int, byte: int, at: int, end: int
) -> bool:
    """One decoded byte: UTF-8 to code points. False, after a stop, for what no text holds."""
    field = HEADER + stream * FIELDS
    if state[field + MORE] > 0:
        if byte & 0xC0 == 0x80:
            value = (state[field + VALUE] << 6) | (byte & 0x3F)
            state[field + VALUE] = value
            state[field + MORE] -= 1
            if state[field + MORE] == 0:
                if value < state[field + LEAST] or value > 0x10FFFF or 0xD800 <= value < 0xE000:
                    return False
                say(state, points, spans, stream, value, state[field + POINT_AT], end)
            return True
        return False
    if byte < 0x80:
        blank = byte == 32 or byte == 9 or byte == 10 or byte == 13
        if blank and state[field + SAID] == 0:
            return True  # a text's first words begin without it
        if blank or (byte > 32 and byte != 127):
            say(state, points, spans, stream, byte, at, end)
            return True
        return False
    if byte < 0xC2 or byte > 0xF4:
        return False
    more = 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3
    state[field + MORE] = more
    state[field + LEAST] = 0x80 if more == 1 else 0x800 if more == 2 else 0x10000
    state[field + VALUE] = byte & (0x3F >> more)
    state[field + POINT_AT] = at
    return True


@njit
def push(
    state: Any, points: Any, spans: Any, stream: int, value: int, width: int, at: int, end: int
) -> bool:
    """`width` more bits of a stream, from the raw characters [at, end). False as `put_byte`."""
    field = HEADER + stream * FIELDS
    if state[field + BITS] == 0:
        state[field + BYTE_AT] = at
    acc = (state[field + ACC] << width) | value
    bits = state[field + BITS] + width
    good = True
    if bits >= 8:
        bits -= 8
        byte = acc >> bits
        acc &= (1 << bits) - 1
        begin = state[field + BYTE_AT]
        good = put_byte(state, points, spans, stream, byte, begin, end)
        if not good:
            keep_said = state[field + MORE] > 0
            stop(state, points, spans, stream, at)
            if keep_said:  # the byte that broke a sequence may begin another one
                put_byte(state, points, spans, stream, byte, begin, end)
        state[field + BYTE_AT] = at
    state[field + ACC] = acc
    state[field + BITS] = bits
    return good
