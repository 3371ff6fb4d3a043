"""Make guard/restrict/fold.npz: how every Unicode code point folds for matching.

Run with the project's Python (needs the `dev` extra for the confusables data):

    .venv/bin/python scripts/fold_tables.py

The result is committed, so that matching does not drift with the interpreter's Unicode version and
the proxy needs neither the confusables package nor seconds of start-up. A test makes it again and
compares. Sources: Unicode Character Database through `unicodedata` (NFKC, case folding, names,
combining classes), Unicode's confusables.txt through `confusable_homoglyphs`, HTML5's entity names
through `html.entities`.
"""

from __future__ import annotations

import html.entities
import re
import sys
import unicodedata
from pathlib import Path

import numpy as np
from confusable_homoglyphs import confusables

from guard.restrict.folding import (
    ALTERNATIVES,
    ESCAPE_BIT,
    IGNORED,
    LETTER,
    SOFT,
    SPACE,
    UPPER_BIT,
    WORD,
    pack,
)

TARGET = Path(__file__).resolve().parent.parent / "guard" / "restrict" / "fold.npz"

# Separators that commonly split, join or decorate a word without ending it.
SOFT_ASCII = set("-_*`~'\".^")
ESCAPE_STARTS = set("&%\\<]=\"'")
# Invisible code points that Unicode classes as letters.
INVISIBLE = {0x115F, 0x1160, 0x3164, 0xFFA0, 0x034F, 0x17B4, 0x17B5}
BLANK = {0x2800}
# Scripts written without spaces, or with particles glued on: each character counts as a word.
UNSPACED = ("CJK ", "HIRAGANA", "KATAKANA", "THAI", "LAO ", "KHMER", "MYANMAR", "HANGUL")
LEET = {
    "0": ["o"], "1": ["i", "l"], "3": ["e"], "4": ["a"], "5": ["s"], "6": ["g"], "7": ["t"],
    "8": ["b"], "9": ["g"], "@": ["a"], "$": ["s"], "!": ["i"], "|": ["i", "l"], "+": ["t"],
    "(": ["c"], "€": ["e"], "¡": ["i"], "£": ["l"], "¥": ["y"],
}  # fmt: skip
# The dots of a to j; k to t have dot 3 besides, u to z without w dots 3 and 6 (BANA, the alphabet).
BRAILLE_DOTS = ("1", "12", "14", "145", "15", "124", "1245", "125", "24", "245")
BASE_NAME = re.compile(
    r"LATIN (?:SMALL|CAPITAL) LETTER ([A-Z]|AE|OE)(?: WITH .+)?$"
    r"|LATIN (?:LETTER|SUBSCRIPT|SUPERSCRIPT) SMALL (?:CAPITAL )?(?:LETTER )?([A-Z])$"
    r"|REGIONAL INDICATOR SYMBOL LETTER ([A-Z])$"
    r"|(?:NEGATIVE |CROSSED NEGATIVE )?(?:CIRCLED|SQUARED|PARENTHESIZED) "
    r"LATIN (?:SMALL|CAPITAL) LETTER ([A-Z])$"
)


def is_ignored(char: str) -> bool:
    """Invisible characters and marks that sit on a letter (Indic vowel signs have class 0)."""
    code = ord(char)
    category = unicodedata.category(char)
    if code in INVISIBLE or 0xFE00 <= code <= 0xFE0F or 0xE0000 <= code <= 0xE0FFF:
        return True
    if category in ("Mn", "Me"):
        return unicodedata.combining(char) not in (0, 9)
    return category == "Cf" or (category == "Cc" and not char.isspace())


def base_letter(char: str) -> str | None:
    """The ASCII letter that a Latin variant's own Unicode name says it is."""
    if char == "ı":
        return "i"
    matched = BASE_NAME.match(unicodedata.name(char, ""))
    if matched is None:
        return None
    return next(group for group in matched.groups() if group).lower()


def fold(char: str) -> str:
    """The letters a code point stands for: compatibility form, no case, no marks, plain digits."""
    named = base_letter(char)
    if named is not None:
        return named
    folded = unicodedata.normalize("NFKC", char).casefold()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", folded))
    kept = "".join(c for c in folded if not is_ignored(c))
    letters = []
    for c in unicodedata.normalize("NFC", kept):
        digit = unicodedata.digit(c, None)
        if digit is not None:
            letters.append(str(digit))
        elif unicodedata.category(c)[0] in "LNM":
            letters.append(base_letter(c) or c)
    return "".join(letters)


def lookalikes(char: str) -> list[str]:
    """ASCII letters and digits that Unicode's confusables list says this code point resembles."""
    found: list[str] = []
    data = confusables.confusables_data.get(char, [])
    for entry in data:
        other = entry["c"]
        if len(other) == 1 and other.isascii() and other.isalnum():
            letter = other.lower()
            if letter not in found:
                found.append(letter)
    return found


class Tables:
    """Collects symbol sequences and packs one entry a code point."""

    def __init__(self) -> None:
        # The first 256 bytes are themselves, so that one-byte symbols need no look-up.
        self.symbols = bytearray(range(256))
        self.alternatives: list[int] = []
        self.code = np.zeros(0x110000, dtype=np.uint32)
        self._seen: dict[bytes, int] = {}

    def sequence(self, kind: int, letters: str) -> int:
        encoded = letters.encode("utf-8")[:60]
        if len(encoded) == 1:
            return pack(kind, 1, encoded[0])
        if encoded not in self._seen:
            self._seen[encoded] = len(self.symbols)
            self.symbols += encoded
        return pack(kind, len(encoded), self._seen[encoded])

    def choose(self, options: list[int]) -> int:
        unique = list(dict.fromkeys(options))[:4]
        if len(unique) == 1:
            return unique[0]
        offset = len(self.alternatives)
        self.alternatives += unique
        return pack(ALTERNATIVES, len(unique), offset)


def separator(char: str) -> int:
    """A mark that ends a word (SPACE), or one that may sit inside it (SOFT)."""
    category = unicodedata.category(char)
    if char.isspace() or category[0] == "Z" or ord(char) in BLANK:
        return pack(SPACE, 0, 0)
    soft = char in SOFT_ASCII or (not char.isascii() and category not in ("Ps", "Pe"))
    return pack(SOFT if soft else SPACE, 0, 0)


def braille() -> dict[int, str]:
    """The letters of the braille alphabet by code point."""
    found = {_braille("2456"): "w"}
    for more, letters in (("", "abcdefghij"), ("3", "klmnopqrst"), ("36", "uvxyz")):
        found |= {_braille(d + more): c for d, c in zip(BRAILLE_DOTS, letters, strict=False)}
    return found


def _braille(dots: str) -> int:
    return 0x2800 + sum(1 << int(dot) - 1 for dot in dots)


BRAILLE = braille()


def hidden(code: int) -> str:
    """What an invisible code point spells: tag characters are ASCII's, and variation selectors are
    used for bytes (the seventeenth of all is byte 16)."""
    if 0xE0020 < code < 0xE007F:
        return fold(chr(code - 0xE0000))
    if 0xE0120 <= code < 0xE0170:
        return fold(chr(code - 0xE0100 + 16))
    return ""


def options_of(tables: Tables, code: int) -> list[int]:
    """What a code point may stand for, the faithful reading first."""
    char = chr(code)
    if letters := hidden(code):
        return [pack(IGNORED, 0, 0), tables.sequence(LETTER, letters)]
    if code in BRAILLE:
        return [tables.sequence(LETTER, BRAILLE[code])]
    if is_ignored(char):
        return [pack(IGNORED, 0, 0)]
    letters = fold(char) if unicodedata.category(char)[0] in "LNMS" else ""
    if not letters:
        options = [separator(char)]
    else:
        unspaced = unicodedata.name(char, "").startswith(UNSPACED)
        options = [tables.sequence(WORD if unspaced else LETTER, letters)]
    for other in LEET.get(char, []) + ([] if char.isascii() else lookalikes(char)):
        options.append(tables.sequence(LETTER, other))
    return options


def bit_of(char: str, kind: int) -> int:
    """Bit 3 of an entry: an escape begins, or a letter is upper or title case, or hidden."""
    if kind == IGNORED:
        return UPPER_BIT if hidden(ord(char)) else 0
    if kind == LETTER:
        return UPPER_BIT if char.isupper() or unicodedata.category(char) == "Lt" else 0
    return ESCAPE_BIT if char in ESCAPE_STARTS else 0


def entities() -> tuple[np.ndarray, np.ndarray]:
    """HTML entity names of at most 8 letters, packed big-endian and sorted; their code points."""
    rows: dict[int, int] = {}
    for name, value in html.entities.html5.items():
        bare = name.rstrip(";")
        if name.endswith(";") and len(bare) <= 8 and len(value) == 1 and bare.isascii():
            rows[int.from_bytes(bare.encode(), "big")] = ord(value)
    names = sorted(rows)
    return np.array(names, np.uint64), np.array([rows[name] for name in names], np.uint32)


def make() -> dict[str, np.ndarray]:
    """All arrays of fold.npz."""
    tables = Tables()
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000 or unicodedata.category(chr(code)) in ("Cn", "Co"):
            tables.code[code] = pack(IGNORED if 0xE0000 <= code < 0xE1000 else SOFT, 0, 0)
            continue
        options = options_of(tables, code)
        tables.code[code] = tables.choose(options) | bit_of(chr(code), options[0] & 7)
    names, values = entities()
    return {
        "code": tables.code,
        "symbols": np.frombuffer(bytes(tables.symbols), np.uint8),
        "alternatives": np.array(tables.alternatives, np.uint32),
        "entity_names": names,
        "entity_values": values,
        "unicode_version": np.array(unicodedata.unidata_version),
    }


def main() -> int:
    arrays = make()
    np.savez_compressed(TARGET, **arrays)
    print(f"{TARGET.name}: Unicode {unicodedata.unidata_version}, {TARGET.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
