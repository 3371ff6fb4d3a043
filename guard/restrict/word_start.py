"""Where a word begins: after a separator, and at an upper-case letter after one that is not.

"OttolineOttoline" holds two words, "McPotter" too; in "NASA" and after a digit no letter begins
one. A letter that nobody sees (a tag character) may begin one wherever an upper-case letter may. A
walk keeps a few bits, its *word start*: which letters would begin a word, came one next.
"""

from __future__ import annotations

from typing import Any

from guard.restrict.compiled import njit
from guard.restrict.folding import ALTERNATIVES, IGNORED, LETTER, UPPER_BIT

INSIDE = 0  # no letter would
AT_WORD = 1  # any would
AFTER_LOWER = 2  # an upper-case one would
WORD_STARTS = 3  # values that one text's word start takes; escapes, which have two readings, add up

NINE = 0x39  # the last digit: symbols of one byte have it for their place


@njit
def begins_word(word_start: int, entry: int) -> int:
    """Not 0 if a word begins with a character, which an entry of the folding table is for."""
    return word_start & (AT_WORD | ((entry & UPPER_BIT) >> 2))


@njit
def after_letter(entry: int, faithful: int) -> int:
    """The word start after a letter: its entry, and its faithful reading."""
    if entry & UPPER_BIT or faithful >> 10 <= NINE:
        return INSIDE
    return AFTER_LOWER


@njit
def after_point(word_start: int, entry: int, alternatives: Any) -> int:
    """The word start after any character, `word_start` being that before it."""
    faithful = entry
    if entry & 7 == ALTERNATIVES:
        faithful = int(alternatives[entry >> 10])
    kind = faithful & 7
    if kind == IGNORED:
        return word_start
    if kind != LETTER:
        return AT_WORD
    return after_letter(entry, faithful)
