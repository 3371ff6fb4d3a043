"""What characters are to a run of base64 or hexadecimal digits, and how texts begin in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from guard.restrict.compiled import njit
from guard.restrict.streams import WINDOW

# What a character is to a run; below ALNUM it is a letter or digit with that base64 value.
ALNUM, VALUES, BLANK, PAD, BACKSLASH, OTHER = 62, 64, 64, 65, 66, 67

# How far a run has got. Of hexadecimal digits: OPENING after one of them, DEAD inside a word.
NONE, OPENING, ALIVE, DEAD, LONG = range(5)

# The table: what an ASCII character is to a run, the hexadecimal digit that a base64 value is the
# character of, which first character, first two, and first pair of digits may begin a text, and
# which first two letters begin no text in either encoding, as those of nearly every word.
DIGIT, FIRST, PAIR, BYTE = 128, 192, 256, 256 + 64 * 64
WORDS = BYTE + 256
TABLE_SIZE = WORDS + 64 * 64
NO_DIGIT = 255
X_CAPITAL, X_SMALL = 23, 49  # the base64 values of the x of 0x


@njit
def may_open(first: int, second: int) -> bool:
    """Whether two base64 characters can begin a text: a byte, and half of the next."""
    byte = (first << 2) | (second >> 4)
    half = second & 15
    if byte < 0x80:
        return is_written(byte) and (2 <= half < 8 or half >= 12)
    return 0xC2 <= byte <= 0xF4 and 8 <= half < 12


@njit
def is_written(byte: int) -> bool:
    """Whether writers put this ASCII character near the beginning of a text."""
    if 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte == 32 or byte == 10:
        return True
    return byte == 34 or 39 <= byte <= 42 or 44 <= byte <= 46


@njit
def may_follow(before: int, byte: int) -> bool:
    """Whether a byte may be the second of a text. Years of four digits begin with a space."""
    if before >= 0x80:
        return byte & 0xC0 == 0x80
    if before == 32:
        return is_written(byte) or 0xC2 <= byte <= 0xF4
    return 32 <= byte < 127 or byte == 9 or byte == 10 or byte == 13 or 0xC2 <= byte <= 0xF4


@njit
def opening(packed: int, count: int) -> int:
    """What the first `count` (2 to 8) base64 characters of a run are: ALIVE when a text might begin
    so, OPENING when more of them will tell, DEAD when not."""
    before = 0
    more = 0
    plain = True
    bits = 6 * count
    for shift in range(8, bits + 1, 8):
        byte = (packed >> (bits - shift)) & 0xFF
        if more > 0:
            if byte & 0xC0 != 0x80:
                return DEAD
            more -= 1
        elif byte < 0x80:
            if not is_written(byte) or (65 <= byte <= 90 and 97 <= before <= 122):
                return DEAD
        elif 0xC2 <= byte <= 0xF4:
            plain = False
            more = 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3
        else:
            return DEAD
        before = byte
    return ALIVE if plain or count == WINDOW else OPENING


@njit
def is_odd(packed: int) -> bool:
    """Whether WINDOW characters mix capitals, small letters and digits as no writer does."""
    turns = 0
    before = -1
    capitals = 0
    for i in range(WINDOW):
        value = (packed >> (6 * (WINDOW - 1 - i))) & 63
        kind = 0 if value < 26 else 1 if value < 52 else 2 if value < ALNUM else 3
        if before >= 0 and kind != before and kind != 3 and before != 3:
            # "The" and "Is" are words; "GPus" and "aB" and "b4" are not.
            turns += kind != 1 or before == 2 or capitals > 1
        capitals = capitals + 1 if kind == 0 else 0
        before = kind
    return turns >= 1


def make_table() -> NDArray[np.uint8]:
    """The table described above, uint8 (TABLE_SIZE,)."""
    table = np.zeros(TABLE_SIZE, dtype=np.uint8)
    table[:DIGIT] = OTHER
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    for value, char in enumerate(alphabet):
        table[ord(char)] = value
    for char, value in (("+", 62), ("-", 62), ("/", 63), ("_", 63)):
        table[ord(char)] = value
    for char in " \t\r\n":
        table[ord(char)] = BLANK
    table[ord("=")] = PAD
    table[ord("\\")] = BACKSLASH
    table[DIGIT:FIRST] = NO_DIGIT
    for digit, char in enumerate("0123456789abcdef"):
        table[DIGIT + alphabet.index(char)] = digit
        table[DIGIT + alphabet.index(char.upper())] = digit
    for one in range(64):
        for two in range(64):
            table[PAIR + (one << 6 | two)] = may_open(one, two)
        table[FIRST + one] = table[PAIR + (one << 6) : PAIR + (one + 1 << 6)].any()
    for byte in range(256):
        table[BYTE + byte] = is_written(byte) if byte < 0x80 else 0xC2 <= byte <= 0xF4
    for one in range(ALNUM):
        for two in range(ALNUM):
            table[WORDS + (one << 6 | two)] = not (
                table[PAIR + (one << 6 | two)] or _may_open_digits(table, one, two)
            )
    return table


def _may_open_digits(table: NDArray[np.uint8], one: int, two: int) -> bool:
    """Whether two letters or digits may be the first of hexadecimal digits, or 0x before them."""
    high, low = int(table[DIGIT + one]), int(table[DIGIT + two])
    if high == NO_DIGIT:
        return False
    if low == NO_DIGIT:
        return high == 0 and two in (X_SMALL, X_CAPITAL)
    return bool(table[BYTE + (high << 4 | low)])


TABLE = make_table()
