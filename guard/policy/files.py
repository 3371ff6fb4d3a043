"""Reads policy and data files as text, or says in one problem why not."""

from __future__ import annotations

import codecs
from pathlib import Path

from guard.errors import PolicyError, Problem

_OTHER_BOMS = {
    codecs.BOM_UTF32_LE: "UTF-32",  # before UTF-16, whose mark is its first half
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_text(path: Path, *, limit: int) -> str:
    """The text of a regular UTF-8 file of at most `limit` bytes, without a byte order mark.

    Raises PolicyError, with a single problem, when it cannot be had.
    """
    try:
        if not path.is_file():
            raise _error(path, "is not a file" if path.exists() else "there is no such file")
        size = path.stat().st_size
        if size > limit:
            raise _error(path, f"holds {size:,} bytes; at most {limit:,} are read")
        raw = path.read_bytes()
    except OSError as error:
        raise _error(path, f"cannot be read: {error.strerror or type(error).__name__}") from error
    for mark, encoding in _OTHER_BOMS.items():
        if raw.startswith(mark):
            raise _error(path, f"is saved as {encoding}; save it as UTF-8", line=1)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _error(path, "is not UTF-8 from here on; save it as UTF-8", line=line) from error


def is_storable(text: str) -> bool:
    """False for text with half a surrogate pair, which no UTF-8 file or request can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_speakable(text: str) -> bool:
    """True when the text holds a letter or a digit of any script: something to match."""
    return any(character.isalnum() for character in text)


def _error(path: Path, message: str, *, line: int = 0) -> PolicyError:
    return PolicyError([Problem(str(path), line, "", message)])
