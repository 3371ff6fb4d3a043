"""Runs of hexadecimal digits, on the streams 4 and 5; see `runs.py`.

Pairs of digits in one run, or with separators between the pairs. No Python object is touched in
here.
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
    LONG,
    NO_DIGIT,
    NONE,
    OPENING,
    TABLE,
    X_CAPITAL,
    X_SMALL,
    may_follow,
)
from guard.restrict.streams import (
    ACC,
    BASE64,
    BITS,
    FIELDS,
    H_GAPS,
    H_STAGE,
    HEADER,
    HEX,
    PACKED,
    WINDOW,
    push,
    start_byte,
    stop,
)

MAX_GAPS = 4  # separators between two pairs of digits that are read as one text


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
