"""Foreign text on one line of a prompt, unable to end its place or to spell a control token.

Chat templates are rendered to text and tokenised with their control tokens live, so a user who
writes a model's own end-of-turn mark ends the turn. All such marks are made of angle or square
brackets; these become full-width ones, which are legible and spell nothing.
"""

from __future__ import annotations

import json
import re
import unicodedata

_BRACKETS = str.maketrans({"<": "＜", ">": "＞", "[": "［", "]": "］", "|": "｜"})
# What JSON leaves alone and a reader may take for a new line, or does not see.
_LINES = re.compile("[\x7f\x85\u2028\u2029]")
_SPACES = re.compile(r"\s+")
ELLIPSIS = " … "


def quoted(text: str, most: int) -> str:
    """A JSON string of at most `most` characters of the text, on one line, without brackets.

    No quotation mark in it but its first and last stands without a backslash. Of a longer text the
    beginning and the end are kept.
    """
    return json.dumps(_harmless(shortened(text, most)), ensure_ascii=False)


def flat(text: str, most: int) -> str:
    """The text as one paragraph on one line, without brackets."""
    return _SPACES.sub(" ", _harmless(shortened(text, most))).strip()


def shortened(text: str, most: int) -> str:
    """The text, or its beginning and end around an ellipsis; at most `most` characters."""
    if len(text) <= most:
        return text
    kept = max(0, most - len(ELLIPSIS))
    tail = kept // 2
    return text[: kept - tail] + ELLIPSIS + (text[-tail:] if tail else "")


def _harmless(text: str) -> str:
    text = _LINES.sub(" ", text.encode("utf-8", "replace").decode("utf-8"))
    # Characters that are not seen could part a mark's letters for a reader, not for a tokenizer.
    shown = (c for c in text if unicodedata.category(c) != "Cf" or c in "\u200c\u200d")
    return "".join(shown).translate(_BRACKETS)
