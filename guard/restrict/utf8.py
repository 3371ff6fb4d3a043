"""UTF-8 a byte at a time, for compiled code: tokens may end in the middle of a character."""

from __future__ import annotations

from guard.restrict.compiled import njit

NONE = -1  # no code point is complete
BROKEN = 0xFFFD  # what a broken sequence reads as, here and in the detokenizers


@njit
def decode(need: int, value: int, byte: int) -> tuple[int, int, int, int]:
    """Read one byte. Returns (need, value, broken, point).

    `need` holds the continuation bytes missing (bits 0 to 2) and the sequence's length (from bit
    3), `value` the bits so far; both are 0 between characters. `broken` is BROKEN when a sequence
    was given up before this byte, else NONE; `point` is what this byte completes, else NONE.
    """
    missing = need & 7
    broken = NONE
    if missing > 0:
        if byte & 0xC0 == 0x80:
            value = (value << 6) | (byte & 0x3F)
            if missing > 1:
                return need - 1, value, NONE, NONE
            length = need >> 3
            lowest = 0x80 if length == 2 else (0x800 if length == 3 else 0x10000)
            if value < lowest or value > 0x10FFFF or 0xD800 <= value < 0xE000:
                value = BROKEN
            return 0, 0, NONE, value
        broken = BROKEN
    if byte < 0x80:
        return 0, 0, broken, byte
    if 0xC2 <= byte < 0xE0:
        return 1 | (2 << 3), byte & 0x1F, broken, NONE
    if 0xE0 <= byte < 0xF0:
        return 2 | (3 << 3), byte & 0x0F, broken, NONE
    if 0xF0 <= byte < 0xF5:
        return 3 | (4 << 3), byte & 0x07, broken, NONE
    return 0, 0, broken, BROKEN
