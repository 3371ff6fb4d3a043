"""How text folds for matching: every code point to the letters it stands for.

Folding is per code point and context-free, so a stream can be folded as it comes. A code point is
one of six kinds; the tables in `fold.npz` are made by `scripts/fold_tables.py` from Unicode's own
data. Letters fold to UTF-8 bytes ("symbols") of their caseless compatibility form without marks.
Look-alikes (a Cyrillic а, a leet 4) are *alternatives* that only the text side tries: two different
words never become one pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

IGNORED = 0  # invisible, or a mark on a letter: as if it were not there
SPACE = 1  # ends a word
SOFT = 2  # punctuation that may also sit inside a word (a hyphen, an asterisk, an emoji)
LETTER = 3  # letters and digits
WORD = 4  # a letter that is a word of its own: scripts written without spaces
ALTERNATIVES = 5  # several readings, the faithful one first

ESCAPE_BIT = 8  # of a separator: it begins an escape (& % = backslash, < ] and quotes)
UPPER_BIT = 8  # of a letter: it is upper or title case, or hidden: see `word_start.py`


def pack(kind: int, length: int, offset: int) -> int:
    """One table entry: bits 0-2 kind, bits 4-9 length, from bit 10 offset; bit 3 is set besides on
    what opens an escape, on upper case, where the faithful reading is a letter, and on hidden
    letters."""
    return kind | (length << 4) | (offset << 10)


@dataclass(frozen=True, slots=True)
class FoldTables:
    """The arrays of `fold.npz`.

    `code`: uint32 (0x110000,), one entry a code point; `symbols`: uint8, all symbol sequences end
    to end; `alternatives`: uint32 entries that ALTERNATIVES entries point into; `entity_names`
    (uint64, sorted) and `entity_values` (uint32): HTML entities.
    """

    code: NDArray[np.uint32]
    symbols: NDArray[np.uint8]
    alternatives: NDArray[np.uint32]
    entity_names: NDArray[np.uint64]
    entity_values: NDArray[np.uint32]
    unicode_version: str


@cache
def fold_tables() -> FoldTables:
    """The tables that ship with the package, read once a process."""
    with np.load(Path(__file__).with_name("fold.npz")) as arrays:
        return FoldTables(
            code=arrays["code"],
            symbols=arrays["symbols"],
            alternatives=arrays["alternatives"],
            entity_names=arrays["entity_names"],
            entity_values=arrays["entity_values"],
            unicode_version=str(arrays["unicode_version"]),
        )


def code_points(text: str) -> NDArray[np.uint32]:
    """The code points of `text`, shape (len(text),); lone surrogates are kept."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def fold_words(text: str) -> list[bytes]:
    """The folded words of `text` in its faithful reading, as a pattern's author meant it.

    A word ends at any separator; a character of an unspaced script is a word of its own.
    """
    tables = fold_tables()
    words: list[bytes] = []
    current = bytearray()
    for point in code_points(text):
        entry = int(tables.code[point])
        if entry & 7 == ALTERNATIVES:
            entry = int(tables.alternatives[entry >> 10])
        kind, length, offset = entry & 7, (entry >> 4) & 63, entry >> 10
        if kind == IGNORED:
            continue
        if kind != LETTER and current:
            words.append(bytes(current))
            current.clear()
        if kind == LETTER:
            current += tables.symbols[offset : offset + length].tobytes()
        elif kind == WORD:
            words.append(tables.symbols[offset : offset + length].tobytes())
    if current:
        words.append(bytes(current))
    return words
