"""Which encoded text is held: what a phrase may begin with, in base64 or hexadecimal digits.

One character of base64 is six bits of a byte, and every word of ordinary text begins with one. It
is held only where a phrase of the automaton may begin with these bits, in any reading of its first
letters: of a policy with a few names, next to nothing is.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guard.restrict.compiled import njit
from guard.restrict.folding import ALTERNATIVES, LETTER, WORD, fold_tables
from guard.restrict.threads import SOFT_BOUNDARY

_LEADS = slice(0xC2, 0xF5)  # bytes that begin a character which is not ASCII: of some disguise


def first_bytes(phrases: Iterable[bytes]) -> NDArray[np.uint8]:
    """What phrases begin with, uint8 (257, 256): the second byte by the first one, and in the last
    row the first. `phrases`: folded symbols; each letter in all its readings."""
    found = np.zeros((257, 256), dtype=np.uint8)
    found[:, _LEADS] = 1
    found[_LEADS] = 1
    forms = _forms()
    for first, *second in {phrase[:2] for phrase in phrases}:
        written = forms[first]
        found[256, written] = 1
        found[np.ix_(written, _SEPARATORS)] = 1
        if second and second[0] > SOFT_BOUNDARY:
            found[np.ix_(written, forms[second[0]])] = 1
        else:  # another word, glued or behind anything
            found[written] = 1
    return found


_SEPARATORS = [byte for byte in range(0x80) if not chr(byte).isalnum()]


@cache
def _forms() -> list[list[int]]:
    """For each byte that a letter's symbols may begin with, the ASCII characters that may stand for
    it."""
    tables = fold_tables()
    forms: list[list[int]] = [[] for _ in range(256)]
    for point in range(0x80):
        entries = [int(tables.code[point])]
        if entries[0] & 7 == ALTERNATIVES:
            at, count = entries[0] >> 10, (entries[0] >> 4) & 63
            entries = tables.alternatives[at : at + count].tolist()
        for entry in entries:
            if entry & 7 in (LETTER, WORD):
                forms[int(tables.symbols[entry >> 10])].append(point)
    return forms


@njit
def may_begin(begins: Any, bits: int, size: int) -> bool:
    """Whether a phrase may begin with `size` bits, of which the last ones are not looked at past
    the second byte."""
    row, known = 256, size
    if size > 8:
        row = bits >> (size - 8)
        if begins[256, row] == 0:
            return False
        known = min(size - 8, 8)
        bits = (bits >> (size - 8 - known)) & ((1 << known) - 1)
    low = bits << (8 - known)
    return bool(begins[row, low : low + (1 << (8 - known))].any())


@njit
def held_of(begins: Any, bits: int, count: int, width: int) -> int:
    """How many of the `count` characters of `width` bits that a run opens with are to be held: from
    the first byte on that a phrase may begin with."""
    size = count * width
    for at in range(0, size, 8):
        if at > 0:
            before = (bits >> (size - at)) & 0xFF
            if before >= 0x80 or 48 <= before <= 57 or 65 <= (before & 0xDF) <= 90:
                continue  # inside a word
        if may_begin(begins, bits & ((1 << (size - at)) - 1), size - at):
            return count - at // width
    return 0
