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
    TABLE,
    VALUES,
    WORDS,
    X_CAPITAL,
    X_SMALL,
    is_odd,
    may_follow,
    opening,
)
from guard.restrict.state import FOUND, RUNS
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
def lengthen_hex(state: Any, points: Any, spans: Any, at: int) -> None:
    """The same for both offsets of hexadecimal digits, where the last characters are all digits."""
    for i in range(WINDOW):
        if TABLE[DIGIT + ((state[PACKED] >> (6 * i)) & 63)] == NO_DIGIT:
            return
    for shift in range(HEX):
        start_byte(state, BASE64 + shift)
        for i in range(shift, WINDOW - 1):  # the last one is for `hex_step`
            value = np.int64(TABLE[DIGIT + ((state[PACKED] >> (6 * (WINDOW - 1 - i))) & 63)])
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
    return h_stage == OPENING and (kind == X_CAPITAL or kind == X_SMALL) and packed & 63 == 52


@njit
def open_hex(packed: int, count: int, point: int, kind: int, stage: int) -> int:
    """The stage of hexadecimal digits after one more character, of which `packed` ends in `count`
    before it. ALIVE: two bytes that may begin a text, or one and what parts it from the next."""
    if stage == OPENING and count == 2 and parts(point, kind):
        return ALIVE
    if kind >= ALNUM or is_prefix(packed, kind, stage):
        return NONE
    digit = np.int64(TABLE[DIGIT + kind])
    if digit == NO_DIGIT or stage == DEAD:
        return DEAD
    if stage == OPENING and count != 2:
        byte = (np.int64(TABLE[DIGIT + (packed & 63)]) << 4) | digit
        if count == 1:
            return OPENING if TABLE[BYTE + byte] == 1 else DEAD
        high = np.int64(TABLE[DIGIT + ((packed >> 12) & 63)])
        low = np.int64(TABLE[DIGIT + ((packed >> 6) & 63)])
        return ALIVE if may_follow((high << 4) | low, byte) else DEAD
    return OPENING


@njit
def parts(point: int, kind: int) -> bool:
    """Whether a character may stand between two pairs of digits."""
    return kind == BLANK or kind == BACKSLASH or kind == 62 or point == 58 or point == 44


@njit
def hex_step(
    state: Any, points: Any, spans: Any, packed: int, point: int, kind: int, at: int
) -> None:
    """One character, as hexadecimal sees it; after `base64_step`. `packed` is as before that."""
    stage = state[H_STAGE]
    digit = np.int64(TABLE[DIGIT + kind]) if kind < ALNUM else np.int64(NO_DIGIT)
    if stage != ALIVE and stage != LONG:
        count = state[H_GAPS]
        state[H_STAGE] = open_hex(packed, count, point, kind, stage)
        state[H_GAPS] = count + 1 if state[H_STAGE] == OPENING and stage == OPENING else 1
        if state[H_STAGE] != ALIVE:
            return
        start_byte(state, BASE64)
        for i in range(count - 1, -1, -1):
            value = np.int64(TABLE[DIGIT + ((packed >> (6 * i)) & 63)])
            push(state, points, spans, BASE64, value, 4, at - 1 - i, at - i)
        if digit == NO_DIGIT:  # `H_GAPS` is 1: this one
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
    if parts(point, kind) and state[H_GAPS] < MAX_GAPS and (stage == LONG or state[half] == 0):
        state[H_GAPS] += 1
        return
    end_hex(state, points, spans, at)
    if kind < ALNUM:
        state[H_STAGE] = DEAD


@njit
def settle_runs(state: Any) -> None:
    """The earliest raw position that has to be held: for a character that is not decoded yet, or
    for the scanners of the streams (`HELD` is one more than theirs, 0 for none)."""
    live = state[POS]
    if state[HELD] > 0:
        live = min(live, state[HELD] - 1)
    if state[STAGE] == OPENING:
        # What begins with a space or a quote begins its text with the next byte.
        first = (state[PACKED] >> (6 * (state[LENGTH] - 1))) & 63
        live = min(live, state[BEGIN] + (first < 12))
    if state[H_STAGE] == OPENING:
        live = min(live, state[POS] - state[H_GAPS])
    if state[STAGE] > OPENING or state[H_STAGE] > OPENING:
        for stream in range(STREAMS):
            field = HEADER + stream * FIELDS
            if state[field + MORE] > 0:
                live = min(live, state[field + POINT_AT])
            elif state[field + BITS] > 0:
                live = min(live, state[field + BYTE_AT])
    state[LIVE] = live


@njit
def skim(text: Any, begin: int, state: Any) -> int:
    """Read `text[begin:]` as far as nothing has to be decoded; returns how many points are read.

    Nearly every character of ordinary text is read in here: a word is given up after its first
    letters, and from there on only counted.
    """
    stage = state[STAGE]
    h_stage = state[H_STAGE]
    if state[DIRTY] == 1 or stage == ALIVE or stage == LONG or h_stage == ALIVE or h_stage == LONG:
        return begin
    length = state[LENGTH]
    packed = state[PACKED]
    digits = state[H_GAPS]  # as long as they are OPENING
    at = state[POS] - begin
    i = begin
    while i < len(text):
        point = text[i]
        kind = np.int64(TABLE[point]) if point < 128 else np.int64(OTHER)
        if kind >= VALUES:
            if stage == OPENING and kind == PAD:
                break
            if h_stage == OPENING and digits == 2 and parts(point, kind):
                break
            stage = h_stage = NONE
            length = packed = 0
            i += 1
            continue
        if stage == DEAD and h_stage == DEAD and kind < ALNUM:
            if length & (WINDOW - 1) == WINDOW - 1 and is_odd((packed << 6) | kind):
                break
            length += 1
            packed = (packed << 6) | kind
            i += 1
            continue
        if stage == NONE and kind < ALNUM and i + 1 < len(text) and text[i + 1] < 128:
            second = np.int64(TABLE[text[i + 1]])
            if second < ALNUM and TABLE[WORDS + ((kind << 6) | second)] == 1:
                stage = h_stage = DEAD
                length = 2
                packed = (kind << 6) | second
                i += 2
                continue
        following = go_on_quietly(packed, length, kind, stage)
        h_following = open_hex(packed, digits, point, kind, h_stage)
        if following == ALIVE or h_following == ALIVE:
            break
        if stage == NONE:
            state[BEGIN] = at + i
        digits = digits + 1 if h_stage == OPENING else 1
        stage = following
        h_stage = h_following
        length += 1
        packed = (packed << 6) | kind
        i += 1
    state[STAGE] = stage
    state[H_STAGE] = h_stage
    state[LENGTH] = length
    state[PACKED] = packed & ((1 << (6 * WINDOW)) - 1)
    state[H_GAPS] = digits
    state[POS] = at + i
    return i


@njit
def go_on_quietly(packed: int, length: int, kind: int, stage: int) -> int:
    """The stage of a run after one more character of its alphabet that says nothing yet; ALIVE when
    `base64_step` has to read it."""
    now = (packed << 6) | kind
    if stage == NONE:
        return OPENING if TABLE[FIRST + kind] == 1 else DEAD
    if stage == OPENING:
        if length == 1:
            return OPENING if TABLE[PAIR + (now & 0xFFF)] == 1 else DEAD
        if length == 3:
            return opening(now & 0xFFFFFF, 4)
        return ALIVE if length == WINDOW - 1 else OPENING
    return ALIVE if length % WINDOW == WINDOW - 1 and is_odd(now) else DEAD


@njit
def read_runs(text: Any, begin: int, state: Any, points: Any, spans: Any) -> int:
    """Read `text[begin:]`; returns how many points have been read.

    Stops early, for the caller to empty the streams, when a step could outgrow them.
    """
    i = skim(text, begin, state)
    while i < len(text) and state[ROOM] >= STEP_ROOM:
        point = text[i]
        kind = np.int64(TABLE[point]) if point < 128 else np.int64(OTHER)
        at = state[POS]
        packed = state[PACKED]
        base64_step(state, points, spans, point, kind, at)
        hex_step(state, points, spans, packed, point, kind, at)
        state[POS] = at + 1
        i = skim(text, i + 1, state)
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


@njit
def read(
    text: Any, code: Any, symbols: Any, alternatives: Any, names: Any, values: Any,
    first: Any, labels: Any, accept: Any, slots: Any, state: Any, out: Any,
) -> int:  # fmt: skip
    """`walk` and `skim` over the same text in one call.

    Returns what the walk has read; -1 minus that where something was found or has to be decoded,
    from `READ` on.
    """
    running = state[len(state) - RUNS :]
    skimmed = skim(text, 0, running)
    running[READ] = skimmed
    done = walk(
        text, 0, code, symbols, alternatives, names, values, first, labels, accept, slots,
        state, out,
    )  # fmt: skip
    if skimmed < len(text) or state[FOUND] > 0:
        return -1 - done
    if done == len(text):
        settle_runs(running)
        state[WALK_LIVE] = min(state[WALK_LIVE], running[LIVE])
    return done
