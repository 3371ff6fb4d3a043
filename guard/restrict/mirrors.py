"""Phrases as they look backwards and in ROT13: more patterns of the same automaton.

Both turn words into other words letter by letter, so that nothing has to be decoded in a text. A
mirrored phrase is left out where ordinary language could hold it: ROT13 of one name is another one.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from guard.restrict.phrases import (
    DISTINCTIVE_BITS,
    LONG_WORD,
    ORDINARY_BITS,
    Phrase,
    is_known,
    join,
    shorten,
    surprise,
)
from guard.restrict.trie import BOUNDED, UNBOUNDED

Pattern = tuple[bytes, int]  # symbols, and the flag of the node they end at


def mirrors(phrase: Phrase) -> Iterator[Pattern]:
    """The mirrored patterns of a phrase: ROT13, backwards, and each word of a name backwards."""
    if not phrase.mirrored:
        return
    rotated = tuple(_rotated(word) for word in phrase.whole)
    if rotated != phrase.whole and _is_strange(rotated):
        yield _rotated(phrase.symbols), phrase.flag
    turned = tuple(_turned(word) for word in phrase.whole)
    if not _is_strange(turned):
        return
    if phrase.whole != turned[::-1]:
        yield _backwards(phrase, turned[::-1])
    if phrase.bounded and len(turned) > 1 and turned != phrase.whole:
        yield join(turned), BOUNDED


def _is_strange(words: tuple[bytes, ...]) -> bool:
    """Whether the words that no dictionary has carry enough information to be no accident."""
    return sum(surprise(word) for word in words if not is_known(word)) >= ORDINARY_BITS


def _rotated(word: bytes) -> bytes:
    # Boundary symbols and the bytes of other scripts are no ASCII letters: they stay.
    return codecs.encode(word.decode("latin-1"), "rot13").encode("latin-1")


def _turned(word: bytes) -> bytes:
    return word.decode("utf-8", "surrogateescape")[::-1].encode("utf-8", "surrogateescape")


def _backwards(phrase: Phrase, words: tuple[bytes, ...]) -> Pattern:
    """All words backwards, up to an acting point of its own: as many letters as forwards, and as
    much information."""
    whole = join(words)
    if phrase.bounded:
        short = shorten(whole)
        return short, BOUNDED if short == whole else UNBOUNDED
    wanted = sum(len(word) for word in phrase.whole) * _share(phrase)
    covered, bits = 0, 0.0
    for index, word in enumerate(words):
        if len(word) > LONG_WORD and bits + surprise(word) >= DISTINCTIVE_BITS:
            part = _letters(word, int(wanted - covered))
            if part:
                return shorten(join((*words[:index], part))), UNBOUNDED
        covered += len(word)
        bits += surprise(_turned(word))
        if covered >= wanted and bits >= DISTINCTIVE_BITS:
            return shorten(join(words[: index + 1])), UNBOUNDED
    short = shorten(whole)
    return short, BOUNDED if short == whole else UNBOUNDED


def _share(phrase: Phrase) -> float:
    """The share of its letters at which a phrase is acted on."""
    acted = sum(byte > 0x20 for byte in phrase.symbols)
    return acted / sum(len(word) for word in phrase.whole)


def _letters(word: bytes, count: int) -> bytes:
    """The first `count` bytes of a word, up to the end of the last one's UTF-8 sequence; nothing
    when that is all of it."""
    while count < len(word) and word[count] & 0xC0 == 0x80:
        count += 1
    return word[:count] if 0 < count < len(word) else b""
