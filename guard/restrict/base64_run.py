"""Runs of base64, on the streams 0 to 3; see `runs.py`.

Read in its standard and its URL alphabet at once, with or without padding, over line breaks (RFC
4648, RFC 2045 section 6.8). No Python object is touched in here.
"""

from __future__ import annotations

from typing import Any

from guard.restrict.compiled import njit
from guard.restrict.hex_run import lengthen_hex
from guard.restrict.run_table import (
    ALIVE,
    BACKSLASH,
    BLANK,
    DEAD,
    FIRST,
    LONG,
    NONE,
    OPENING,
    PAD,
    PAIR,
    TABLE,
    VALUES,
    is_odd,
    opening,
)
from guard.restrict.streams import (
    BASE64,
    BEGIN,
    DIRTY,
    FIELDS,
    GAPS,
    H_STAGE,
    HEADER,
    LENGTH,
    PACKED,
    SAID,
    SEGMENT,
    SLASH,
    STAGE,
    WINDOW,
    push,
    say,
    start_byte,
    stop,
)
from guard.restrict.walk import BREAK

LONG_LINE = 16  # characters; a run goes on over the end of a line as long as this
MAX_GAPS = 4  # separators between two runs that are read as one text
MAX_BLANKS = 8  # blanks inside a run: a line end and the next line's indent


@njit
def lengthen(state: Any, points: Any, spans: Any, at: int) -> None:
    """Read a base64 run at every offset from here on, and its last characters once more.

    What is found in those begins here: they may have left already.
    """
    length = state[LENGTH]
    back = min(length, WINDOW)
    for stream in range(BASE64):
        stop(state, points, spans, stream, at)
        skip = (stream - (length - back)) % 4
        for i in range(skip, back):
            value = (state[PACKED] >> (6 * (back - 1 - i))) & 63
            push(state, points, spans, stream, value, 6, at, at + 1)
    state[STAGE] = LONG
    state[SEGMENT] = length
    if state[H_STAGE] != ALIVE:
        lengthen_hex(state, points, spans, at)


@njit
def open_run(state: Any, points: Any, spans: Any, at: int) -> None:
    """The first characters of a run, as far as its stage kept them, go out on stream 0."""
    count = state[LENGTH]
    state[SEGMENT] = count  # `skim` read the first of them, and counts no segments
    start_byte(state, 0)
    stage = opening(state[PACKED], count)
    state[STAGE] = stage
    if stage == DEAD:
        stop(state, points, spans, 0, at)
    if stage != ALIVE:
        return
    for i in range(count):
        value = (state[PACKED] >> (6 * (count - 1 - i))) & 63
        begin = state[BEGIN] + i
        if not push(state, points, spans, 0, value, 6, begin, begin + 1):
            state[STAGE] = DEAD
            stop(state, points, spans, 0, at)
            return


@njit
def end_run(state: Any, points: Any, spans: Any, at: int) -> None:
    """A base64 run is over. One that was text may go on in a run close by."""
    stage = state[STAGE]
    if stage == LONG:
        for stream in range(BASE64):
            stop(state, points, spans, stream, at)
    elif stage == ALIVE:
        start_byte(state, 0)
        state[DIRTY] = state[HEADER + SAID]
        if state[DIRTY] == 1:
            say(state, points, spans, 0, 32, at, at + 1)
    elif stage != NONE:
        stop(state, points, spans, 0, at)
        state[DIRTY] = 0
    state[STAGE] = NONE
    state[LENGTH] = 0
    state[PACKED] = 0
    state[SEGMENT] = 0
    state[GAPS] = 0
    state[SLASH] = 0


@njit
def go_on_run(state: Any, points: Any, spans: Any, value: int, at: int) -> None:
    """One more character of the base64 alphabet."""
    stage = state[STAGE]
    if stage == NONE:
        stage = OPENING
        state[BEGIN] = at
    state[PACKED] = ((state[PACKED] << 6) | value) & ((1 << (6 * WINDOW)) - 1)
    state[LENGTH] += 1
    state[SEGMENT] += 1
    state[GAPS] = 0
    length = state[LENGTH]
    state[STAGE] = stage
    if stage == OPENING:
        if length == 1:
            if TABLE[FIRST + value] == 0:
                state[STAGE] = DEAD
        elif length == 2:
            if TABLE[PAIR + (state[PACKED] & 0xFFF)] == 0:
                state[STAGE] = DEAD
        elif length == 4 or length == WINDOW:
            open_run(state, points, spans, at)
        if state[STAGE] == DEAD:
            stop(state, points, spans, 0, at)
            state[DIRTY] = 0
    elif stage == ALIVE:
        if not push(state, points, spans, 0, value, 6, at, at + 1):
            stop(state, points, spans, 0, at)
            state[STAGE] = DEAD
            state[DIRTY] = 0
    elif stage == LONG:
        for stream in range(BASE64):
            push(state, points, spans, stream, value, 6, at, at + 1)
    if state[STAGE] == DEAD and length % WINDOW == 0 and is_odd(state[PACKED]):
        lengthen(state, points, spans, at)


@njit
def base64_step(state: Any, points: Any, spans: Any, point: int, kind: int, at: int) -> None:
    """One character, as base64 sees it."""
    if state[SLASH] == 1:
        state[SLASH] = 0
        if point == 110 or point == 114 or point == 116:  # a line end written as an escape
            kind = BLANK
    stage = state[STAGE]
    if kind < VALUES:
        go_on_run(state, points, spans, kind, at)
        return
    if kind == BACKSLASH and (stage == ALIVE or stage == LONG):
        state[SLASH] = 1
        return
    if kind == PAD and stage == OPENING and state[LENGTH] > 1:
        open_run(state, points, spans, at)
        stage = state[STAGE]
    if kind == BLANK and (stage == ALIVE or stage == LONG):
        segment = state[SEGMENT]
        whole = segment >= LONG_LINE if stage == LONG else segment >= 4 and segment % 4 == 0
        if whole or (segment == 0 and state[GAPS] < MAX_BLANKS):
            if segment > 0:
                for stream in range(BASE64 if stage == LONG else 1):
                    # A hyphen ends a name, and a word may go on after it: both are possible here.
                    if state[HEADER + stream * FIELDS + SAID] == 1:
                        say(state, points, spans, stream, 45, at, at + 1)
            state[SEGMENT] = 0
            state[GAPS] += 1
            return
    if stage != NONE:
        end_run(state, points, spans, at)
    if state[DIRTY] == 1:
        state[GAPS] += 1
        if state[GAPS] > MAX_GAPS or point == BREAK:
            stop(state, points, spans, 0, at)
            state[DIRTY] = 0
