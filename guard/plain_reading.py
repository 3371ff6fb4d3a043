"""A text in disguise as a reader sees it: look-alike letters as the ASCII letters they imitate.

Names are matched through such disguises by their automaton. The detectors that compare meanings
know only words as they are spelled, and for them "Whеrе wаs shе bоrn" in half Cyrillic is noise:
they are given the plain reading besides. Look-alikes are Unicode's confusables (UTS 39, the tables
of `restrict/folding.py`); letters in another dress (𝐖, Ｗ) are what NFKC makes of them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from guard.restrict.folding import ALTERNATIVES, IGNORED, fold_tables

_WORD = re.compile(r"[^\W_]+(?:[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]+[^\W_]+)*")
_ONE_BYTE = 256  # offsets below are symbols of one byte that stand for themselves


def plain_reading(text: str) -> str | None:
    """`text` with every look-alike as the letter it imitates and nothing invisible in words; None
    where no word is in disguise.

    A word is when it mixes ASCII letters with look-alikes of another script or holds invisible
    characters, or has letters of another dress. Text in Greek or Russian is not.
    """
    if text.isascii() or not any(map(_in_disguise, _WORD.findall(text))):
        return None
    return "".join(map(_twin, text))


def readings(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The texts of a request, and those in disguise as they are meant too."""
    if all(map(str.isascii, texts)):
        return texts
    plain = map(plain_reading, texts)
    return (*texts, *(text for text in plain if text is not None))


def _in_disguise(word: str) -> bool:
    if word.isascii():
        return False
    is_mixed = any(char.isascii() for char in word)
    changed = [char for char in word if _twin(char) != char and not char.isnumeric()]
    return bool(changed) and (is_mixed or any(map(_is_dressed, changed)))


def _is_dressed(char: str) -> bool:
    return unicodedata.normalize("NFKC", char).isascii()


@lru_cache(maxsize=1 << 12)
def _twin(char: str) -> str:
    """What a character imitates, in its case; itself where it imitates nothing."""
    if char.isascii():
        return char
    plain = unicodedata.normalize("NFKC", char)
    if plain.isascii():
        return plain
    tables = fold_tables()
    entry = int(tables.code[ord(char)])
    if entry & 7 == IGNORED:
        # A mark on a letter is part of how a word is spelled; what cannot be seen is not.
        return char if unicodedata.combining(char) else ""
    if entry & 7 != ALTERNATIVES or unicodedata.name(char, "").startswith("LATIN"):
        return char
    first, count = entry >> 10, (entry >> 4) & 63
    for other in map(int, tables.alternatives[first + 1 : first + count]):
        if (other >> 4) & 63 == 1 and other >> 10 < _ONE_BYTE:
            letter = chr(other >> 10)
            return letter.upper() if char.isupper() else letter
    return char
