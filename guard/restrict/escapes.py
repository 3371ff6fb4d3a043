"""Escapes inside a text: `&#72;`, `&nbsp;`, `%48`, `%u0048`, `=48`, and backslash-u0048, -x48, -110
and -u{48}, read as what they stand for.

A small machine beside the walk: while an escape is open, the threads as they stood before it are
kept, and a complete escape is one more way on from there. What was escaped twice, or more often, is
read as well. A numeric entity may do without its semicolon, as in HTML: each digit may be its last,
so that what it stands for so far is a way on while the escape goes on.

What stands between two parts of a word without saying anything is `markup.py`'s.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from guard.restrict.compiled import njit
from guard.restrict.markup import (
    BRACKET_SIGN,
    JOINT,
    LESS_SIGN,
    LINK,
    LINK_INSIDE,
    TAG,
    is_quote,
    joint_step,
    markup_step,
)
from guard.restrict.state import (
    CAPACITY,
    ESC,
    ESC_COUNT,
    ESC_HIGH,
    ESC_MORE,
    ESC_SIGN,
    ESC_START,
    ESC_VALUE,
    FIELDS,
    HEADER,
    SNAPSHOT,
    SNAPSHOT_START,
    THREADS,
    WORD_START,
)


@njit
def hex_value(point: int) -> int:
    """The value of a hexadecimal digit, or -1."""
    if 48 <= point <= 57:
        return point - 48
    if 97 <= point <= 102:
        return point - 87
    if 65 <= point <= 70:
        return point - 55
    return -1


AMPERSAND, PERCENT_SIGN, EQUALS_SIGN, BACKSLASH_SIGN = 38, 37, 61, 92

# Escape machine states.
AMP, AMP_HASH, AMP_DEC, AMP_HEX, AMP_NAME = 1, 2, 3, 4, 5
PERCENT, PERCENT_2, PERCENT_MORE, LINE_END = 6, 7, 8, 9  # of `=` too, which quoted-printable has
BACKSLASH, BACKSLASH_HEX, BACKSLASH_LOW, BACKSLASH_LOW_U = 10, 11, 12, 13
BACKSLASH_OCTAL, BACKSLASH_BRACE = 14, 15
# 16 and above: see `markup.py`.

SO_FAR = -3  # minus the code point: what an escape stands for if it ends here; it may go on
HIGHEST = 0x10FFFF
SOFT_HYPHEN = 0xAD  # nobody sees it


@njit
def open_escape(state: Any, point: int) -> None:
    """An escape that begins with this character, of which nothing more is known."""
    if point == AMPERSAND:
        state[ESC] = AMP
    elif point == PERCENT_SIGN or point == EQUALS_SIGN:
        state[ESC] = PERCENT
    elif point == LESS_SIGN:
        state[ESC] = TAG
    elif point == BRACKET_SIGN:
        state[ESC] = LINK
    elif is_quote(point):
        state[ESC] = JOINT
    else:
        state[ESC] = BACKSLASH
    state[ESC_SIGN] = point
    state[ESC_VALUE] = 0
    state[ESC_COUNT] = 0
    state[ESC_HIGH] = 0
    state[ESC_MORE] = 0


@njit
def goes_on(state: Any, decoded: int) -> bool:
    """Whether a complete escape stands for what begins one: `%2548` is `%48`, and that an H. It is
    then open again, from where it began."""
    signs = decoded == AMPERSAND or decoded == PERCENT_SIGN or decoded == BACKSLASH_SIGN
    if signs or decoded == EQUALS_SIGN or (is_quote(decoded) and state[SNAPSHOT] > 0):
        open_escape(state, decoded)
        return True
    return False


@njit
def begin_escape(state: Any, point: int, at: int) -> None:
    """Open an escape at raw position `at` and remember the threads as they stood before it."""
    open_escape(state, point)
    state[ESC_START] = at
    state[SNAPSHOT] = state[THREADS]
    state[SNAPSHOT_START] = state[WORD_START]
    target = HEADER + 2 * state[CAPACITY] * FIELDS
    for i in range(state[THREADS] * FIELDS):
        state[target + i] = state[HEADER + i]


@njit
def so_far(value: int) -> int:
    """What an entity says that may end here; what is not printed is none yet."""
    return SO_FAR - value if 32 <= value <= HIGHEST else -1


@njit
def entity_step(state: Any, point: int, names: Any, values: Any) -> int:
    """One more character of `&...;`: the decoded code point, -1 to go on, -2 when it is none, or
    `SO_FAR` minus the code point that it may be."""
    esc = state[ESC]
    if esc == AMP and point == 35:
        state[ESC] = AMP_HASH
        return -1
    if esc == AMP_HASH and (point == 120 or point == 88):
        state[ESC] = AMP_HEX
        return -1
    if esc == AMP_HASH or esc == AMP_DEC:
        if 48 <= point <= 57 and state[ESC_COUNT] < 7:
            state[ESC] = AMP_DEC
            state[ESC_VALUE] = state[ESC_VALUE] * 10 + point - 48
            state[ESC_COUNT] += 1
            return so_far(state[ESC_VALUE])
        return state[ESC_VALUE] if point == 59 and esc == AMP_DEC else -2
    if esc == AMP_HEX:
        digit = hex_value(point)
        if digit >= 0 and state[ESC_COUNT] < 6:
            state[ESC_VALUE] = state[ESC_VALUE] * 16 + digit
            state[ESC_COUNT] += 1
            return so_far(state[ESC_VALUE])
        return state[ESC_VALUE] if point == 59 and state[ESC_COUNT] > 0 else -2
    alphanumeric = 48 <= point <= 57 or 65 <= point <= 90 or 97 <= point <= 122
    if alphanumeric and state[ESC_COUNT] < 8:
        state[ESC] = AMP_NAME
        state[ESC_VALUE] = (state[ESC_VALUE] << 8) | point
        state[ESC_COUNT] += 1
        return -1
    if point == 59 and esc == AMP_NAME:
        name = np.uint64(state[ESC_VALUE])
        at = np.searchsorted(names, name)
        if at < len(names) and names[at] == name:
            return np.int64(values[at])
    return -2


@njit
def line_end_step(state: Any, point: int) -> int:
    """The end of a line that quoted-printable takes back, `=` before it; returns as `entity_step`.
    It may part the bytes of a character."""
    if point == 13 and state[ESC] == PERCENT:
        state[ESC] = LINE_END
        return -1
    if point != 10 or state[ESC] == PERCENT_2:
        return -2
    if state[ESC_MORE] == 0:
        return SOFT_HYPHEN
    state[ESC] = PERCENT_MORE
    return -1


@njit
def percent_step(state: Any, point: int) -> int:
    """One more character of `%41` or of a UTF-8 sequence written so; returns as `entity_step`."""
    sign = state[ESC_SIGN]
    if state[ESC] == PERCENT_MORE:
        state[ESC] = PERCENT
        return -1 if point == sign else -2
    if sign == EQUALS_SIGN and (state[ESC] == LINE_END or point == 10 or point == 13):
        return line_end_step(state, point)
    percent = state[ESC] == PERCENT and sign == PERCENT_SIGN
    if percent and (point == 117 or point == 85) and state[ESC_MORE] == 0:  # %u
        state[ESC] = BACKSLASH_HEX
        state[ESC_COUNT] = 4
        return -1
    digit = hex_value(point)
    if digit < 0:
        return -2
    if state[ESC] == PERCENT:
        state[ESC] = PERCENT_2
        state[ESC_VALUE] = digit
        return -1
    byte = state[ESC_VALUE] * 16 + digit
    if state[ESC_MORE] > 0:
        if byte & 0xC0 != 0x80:
            return -2
        state[ESC_HIGH] = (state[ESC_HIGH] << 6) | (byte & 0x3F)
        state[ESC_MORE] -= 1
        if state[ESC_MORE] == 0:
            return state[ESC_HIGH]
    elif byte < 0x80:
        return byte
    elif byte >= 0xF0:
        state[ESC_HIGH], state[ESC_MORE] = byte & 0x07, 3
    elif byte >= 0xE0:
        state[ESC_HIGH], state[ESC_MORE] = byte & 0x0F, 2
    elif byte >= 0xC0:
        state[ESC_HIGH], state[ESC_MORE] = byte & 0x1F, 1
    else:
        return -2
    state[ESC] = PERCENT_MORE
    return -1


@njit
def octal_step(state: Any, point: int) -> int:
    """One more of three octal digits; returns as `entity_step`."""
    if not 48 <= point <= 55:
        return -2
    state[ESC_VALUE] = state[ESC_VALUE] * 8 + point - 48
    state[ESC_COUNT] -= 1
    return -1 if state[ESC_COUNT] > 0 else state[ESC_VALUE]


@njit
def backslash_step(state: Any, point: int) -> int:
    """One more character of a JSON or C escape; returns as `entity_step`."""
    esc = state[ESC]
    if esc == BACKSLASH:
        if point == 117 or point == 120:  # u, x
            state[ESC] = BACKSLASH_HEX
            state[ESC_COUNT] = 4 if point == 117 else 2
            return -1
        if point == 85:  # U, of eight digits
            state[ESC] = BACKSLASH_HEX
            state[ESC_COUNT] = 8
            return -1
        if 48 <= point <= 51:  # three octal digits
            state[ESC] = BACKSLASH_OCTAL
            state[ESC_COUNT] = 2
            state[ESC_VALUE] = point - 48
            return -1
        if point == 110 or point == 116 or point == 114 or point == 102 or point == 98:  # ntrfb
            return 32
        return point if is_quote(point) else -2
    if esc == BACKSLASH_LOW or esc == BACKSLASH_LOW_U:
        wanted = 92 if esc == BACKSLASH_LOW else 117
        state[ESC] = BACKSLASH_LOW_U if esc == BACKSLASH_LOW else BACKSLASH_HEX
        state[ESC_COUNT] = 4
        state[ESC_VALUE] = 0
        return -1 if point == wanted else -2
    if esc == BACKSLASH_OCTAL:
        return octal_step(state, point)
    if esc == BACKSLASH_BRACE and point == 125:
        return state[ESC_VALUE] if state[ESC_COUNT] < 6 else -2
    if esc == BACKSLASH_HEX and point == 123 and state[ESC_COUNT] == 4:  # u{...}
        state[ESC] = BACKSLASH_BRACE
        state[ESC_COUNT] = 6
        return -1 if state[ESC_VALUE] == 0 else -2
    digit = hex_value(point)
    if digit < 0 or state[ESC_COUNT] == 0:
        return -2
    state[ESC_VALUE] = state[ESC_VALUE] * 16 + digit
    state[ESC_COUNT] -= 1
    if esc == BACKSLASH_BRACE:
        return -1
    if state[ESC_COUNT] > 0:
        return -1
    value = state[ESC_VALUE]
    if 0xD800 <= value < 0xDC00 and state[ESC_HIGH] == 0:
        state[ESC_HIGH] = value
        state[ESC] = BACKSLASH_LOW
        return -1
    if state[ESC_HIGH] and 0xDC00 <= value < 0xE000:
        return 0x10000 + ((state[ESC_HIGH] - 0xD800) << 10) + (value - 0xDC00)
    return value


@njit
def escape_step(state: Any, point: int, names: Any, values: Any) -> int:
    """Feed an open escape: the decoded code point, -1 to go on, -2 when it was none after all, or
    `SO_FAR` minus what it stands for if it ends here."""
    esc = state[ESC]
    if esc <= AMP_NAME:
        return entity_step(state, point, names, values)
    if esc <= LINE_END:
        return percent_step(state, point)
    if esc <= BACKSLASH_BRACE:
        return backslash_step(state, point)
    if esc <= LINK_INSIDE:
        return markup_step(state, point)
    return joint_step(state, point)
