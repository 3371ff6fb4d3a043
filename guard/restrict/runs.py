"""Runs of base64 and hexadecimal digits in a text, decoded as they come.

A small machine beside the walk. A *run* is a stretch of characters of the alphabet; what it says
goes out on six *streams* of code points, each with the raw characters that it came from:

- stream 0, base64 from the run's first character on, for as long as that decodes to text. Most
  words of ordinary language stop being text at their second or third character and cost nothing
  from there on;
- streams 0 to 3, base64 at each of the four offsets, once a run looks like nothing that people
  write: what is in the middle of a blob is read too, binary parts are skipped;
- streams 4 and 5, the same two ways for hexadecimal digits, with separators between the pairs.

base64 is read in its standard and its URL alphabet at once, with or without padding, over line
breaks (RFC 4648, RFC 2045 section 6.8). No Python object is touched in here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from guard.restrict.compiled import njit
from guard.restrict.run_table import (
    ALIVE,
    ALNUM,
    BACKSLASH,
    BLANK,
    BYTE,
    DEAD,
    DIGIT,
    FIRST,
    LONG,
    NO_DIGIT,
    NONE,
    OPENING,
    OTHER,
    PAD,
    PAIR,
    VALUES,
    is_odd,
    opening,
)
from guard.restrict.state import LIVE as WALK_LIVE
from guard.restrict.streams import (
    ACC,
    BASE64,
    BEGIN,
    BITS,
    BYTE_AT,
    DIRTY,
    FIELDS,
    GAPS,
    H_GAPS,
    H_STAGE,
    HEADER,
    HELD,
    HEX,
    LENGTH,
    LIVE,
    MORE,
    PACKED,
    POINT_AT,
    POS,
    READ,
    ROOM,
    SAID,
    SEGMENT,
    SLASH,
    STAGE,
    STEP_ROOM,
    STREAMS,
    WINDOW,
    push,
    say,
    start_byte,
    stop,
)
from guard.restrict.walk import BREAK, walk

LONG_LINE = 16  # characters; a run goes on over the end of a line as long as this
MAX_GAPS = 4  # separators between two runs that are read as one text
MAX_BLANKS = 8  # blanks inside a run: a line end and the next line's indent


@njit
def lengthen(state: Any, points: Any, spans: Any, table: Any, at: int) -> None:
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
        lengthen_hex(state, points, spans, table, at)


@njit
def lengthen_hex(state: Any, points: Any, spans: Any, table: Any, at: int) -> None:
    """The same for both offsets of hexadecimal digits, where the last characters are all digits."""
    for i in range(WINDOW):
        if table[DIGIT + ((state[PACKED] >> (6 * i)) & 63)] == NO_DIGIT:
            return
    for shift in range(HEX):
        start_byte(state, BASE64 + shift)
        for i in range(shift, WINDOW - 1):  # the last one is for `hex_step`
            value = np.int64(table[DIGIT + ((state[PACKED] >> (6 * (WINDOW - 1 - i))) & 63)])
            push(state, points, spans, BASE64 + shift, value, 4, at, at + 1)
    state[H_STAGE] = LONG
    state[H_GAPS] = 0


@njit
def open_run(state: Any, points: Any, spans: Any, at: int) -> None:
    """The first characters of a run, as far as its stage kept them, go out on stream 0."""
    count = state[LENGTH]
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
def go_on_run(state: Any, points: Any, spans: Any, table: Any, value: int, at: int) -> None:
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
            if table[FIRST + value] == 0:
                state[STAGE] = DEAD
        elif length == 2:
            if table[PAIR + (state[PACKED] & 0xFFF)] == 0:
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
        lengthen(state, points, spans, table, at)


@njit
def base64_step(
    state: Any, points: Any, spans: Any, table: Any, point: int, kind: int, at: int
) -> None:
    """One character, as base64 sees it."""
    if state[SLASH] == 1:
        state[SLASH] = 0
        if point == 110 or point == 114 or point == 116:  # a line end written as an escape
            kind = BLANK
    stage = state[STAGE]
    if kind < VALUES:
        go_on_run(state, points, spans, table, kind, at)
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


@njit
def end_hex(state: Any, points: Any, spans: Any, at: int) -> None:
    """A run of hexadecimal digits is over."""
    stop(state, points, spans, BASE64, at)
    stop(state, points, spans, BASE64 + 1, at)
    state[H_STAGE] = NONE
    state[H_GAPS] = 0


@njit
def is_prefix(packed: int, kind: int, h_stage: int) -> bool:
    """Whether a character is the x of 0x: digits begin after it."""
    return h_stage == OPENING and (kind == 23 or kind == 49) and packed & 63 == 52


@njit
def hex_step(
    state: Any, points: Any, spans: Any, table: Any, point: int, kind: int, at: int
) -> None:
    """One character, as hexadecimal sees it; after `base64_step`."""
    stage = state[H_STAGE]
    digit = np.int64(table[DIGIT + kind]) if kind < ALNUM else np.int64(NO_DIGIT)
    if stage != ALIVE and stage != LONG:
        if kind >= ALNUM:
            state[H_STAGE] = NONE
        elif stage == NONE:
            state[H_STAGE] = OPENING if digit != NO_DIGIT else DEAD
        elif stage == OPENING and is_prefix(state[PACKED] >> 6, kind, stage):
            state[H_STAGE] = NONE
        elif stage == OPENING:
            before = np.int64(table[DIGIT + ((state[PACKED] >> 6) & 63)])
            state[H_STAGE] = DEAD
            if digit != NO_DIGIT and table[BYTE + ((before << 4) | digit)] == 1:
                state[H_STAGE] = ALIVE
                state[H_GAPS] = 0
                start_byte(state, BASE64)
                push(state, points, spans, BASE64, before, 4, at - 1, at)
                push(state, points, spans, BASE64, digit, 4, at, at + 1)
        return
    if digit != NO_DIGIT:
        state[H_GAPS] = 0
        if stage == LONG:
            push(state, points, spans, BASE64 + 1, digit, 4, at, at + 1)
            push(state, points, spans, BASE64, digit, 4, at, at + 1)
        elif not push(state, points, spans, BASE64, digit, 4, at, at + 1):
            stop(state, points, spans, BASE64, at)
            state[H_STAGE] = DEAD
        return
    half = HEADER + BASE64 * FIELDS + BITS
    if (point == 120 or point == 88) and stage == ALIVE:
        # 0x48: the zero is no digit of the byte.
        if state[half] == 4 and state[half + ACC - BITS] == 0:
            start_byte(state, BASE64)
            return
        if state[H_GAPS] > 0:  # the x of a \x48
            state[H_GAPS] += 1
            return
    parts = kind == BLANK or kind == BACKSLASH or kind == 62 or point == 58 or point == 44
    if parts and state[H_GAPS] < MAX_GAPS and (stage == LONG or state[half] == 0):
        state[H_GAPS] += 1
        return
    end_hex(state, points, spans, at)
    if kind < ALNUM:
        state[H_STAGE] = DEAD


@njit
def settle_runs(state: Any) -> None:
    """The earliest raw position that a character not yet decoded may begin at."""
    live = state[POS]
    if state[STAGE] == OPENING:
        # What begins with a space or a quote begins its text with the next byte.
        first = (state[PACKED] >> (6 * (state[LENGTH] - 1))) & 63
        live = min(live, state[BEGIN] + (first < 12))
    if state[H_STAGE] == OPENING:
        live = min(live, state[POS] - 1)
    if state[STAGE] > OPENING or state[H_STAGE] > OPENING:
        for stream in range(STREAMS):
            field = HEADER + stream * FIELDS
            if state[field + MORE] > 0:
                live = min(live, state[field + POINT_AT])
            elif state[field + BITS] > 0:
                live = min(live, state[field + BYTE_AT])
    state[LIVE] = live


@njit
def read_runs(text: Any, begin: int, table: Any, state: Any, points: Any, spans: Any) -> int:
    """Read `text[begin:]`; returns how many points have been read.

    Stops early, for the caller to empty the streams, when a step could outgrow them. What is not
    decoded, nearly every character of ordinary text, is read in here without a call.
    """
    i = begin
    stage = state[STAGE]
    h_stage = state[H_STAGE]
    length = state[LENGTH]
    packed = state[PACKED]
    dirty = state[DIRTY]
    at = state[POS] - i
    while i < len(text):
        point = text[i]
        kind = np.int64(table[point]) if point < 128 else np.int64(OTHER)
        if stage == DEAD and h_stage == DEAD and kind < ALNUM and length & 7 != 7:
            length += 1  # inside a word
            packed = (packed << 6) | kind
            i += 1
            continue
        if h_stage < ALIVE or h_stage == DEAD:
            if kind < VALUES:
                # The second digit of a pair that says a letter is for `hex_step`.
                pair = h_stage == OPENING and kind < ALNUM
                if pair:
                    digit = np.int64(table[DIGIT + kind])
                    before = np.int64(table[DIGIT + (packed & 63)])
                    pair = digit != NO_DIGIT and table[BYTE + ((before << 4) | digit)] == 1
                quiet = stage == DEAD
                if quiet and length % WINDOW == WINDOW - 1:
                    quiet = not is_odd((packed << 6) | kind)
                if stage == NONE and dirty == 0:
                    quiet = True
                    length = packed = 0
                    state[BEGIN] = at + i
                    stage = OPENING if table[FIRST + kind] == 1 else DEAD
                elif stage == OPENING and dirty == 0 and length != 3 and length != WINDOW - 1:
                    quiet = True
                    if length == 1 and table[PAIR + ((packed << 6) | kind)] == 0:
                        stage = DEAD
                if quiet and not pair:
                    if h_stage != DEAD or kind >= ALNUM:
                        if kind >= ALNUM or is_prefix(packed, kind, h_stage):
                            h_stage = NONE
                        elif h_stage == NONE and table[DIGIT + kind] != NO_DIGIT:
                            h_stage = OPENING
                        else:
                            h_stage = DEAD
                    length += 1
                    packed = (packed << 6) | kind
                    i += 1
                    continue
            elif dirty == 0 and (
                stage == DEAD or stage == NONE or (stage == OPENING and kind != PAD)
            ):
                stage = h_stage = NONE
                length = packed = 0
                i += 1
                continue
        if state[ROOM] < STEP_ROOM:
            break
        state[STAGE] = stage
        state[H_STAGE] = h_stage
        state[LENGTH] = length
        state[PACKED] = packed & ((1 << (6 * WINDOW)) - 1)
        base64_step(state, points, spans, table, point, kind, at + i)
        hex_step(state, points, spans, table, point, kind, at + i)
        stage = state[STAGE]
        h_stage = state[H_STAGE]
        length = state[LENGTH]
        packed = state[PACKED]
        dirty = state[DIRTY]
        i += 1
    state[STAGE] = stage
    state[H_STAGE] = h_stage
    state[LENGTH] = length
    state[PACKED] = packed & ((1 << (6 * WINDOW)) - 1)
    state[POS] = at + i
    settle_runs(state)
    return i


@njit
def finish_runs(state: Any, points: Any, spans: Any) -> None:
    """The end of the text ends every run; the streams must have room."""
    at = state[POS]
    if state[STAGE] == OPENING and state[LENGTH] > 1:
        open_run(state, points, spans, at)
    end_run(state, points, spans, at)
    end_hex(state, points, spans, at)
    stop(state, points, spans, 0, at)
    state[DIRTY] = 0
    settle_runs(state)
    state[HELD] = state[LIVE]


@njit
def read(
    text: Any, code: Any, symbols: Any, alternatives: Any, names: Any, values: Any,
    first: Any, labels: Any, accept: Any, slots: Any, walking: Any, out: Any,
    table: Any, running: Any, points: Any, spans: Any,
) -> int:  # fmt: skip
    """`walk` and `read_runs` over the same text in one call; returns what the walk has read, and
    leaves in `running[READ]` what the runs have."""
    running[READ] = read_runs(text, 0, table, running, points, spans)
    done = walk(
        text, 0, code, symbols, alternatives, names, values, first, labels, accept, slots,
        walking, out,
    )  # fmt: skip
    running[HELD] = min(running[LIVE], walking[WALK_LIVE])
    return done
