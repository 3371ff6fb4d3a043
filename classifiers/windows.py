"""Overlapping windows over long text, so that a question is neither cut off nor diluted.

An encoder averages over what it is given: a forgotten question inside two pages of other text
moves the average little. Short windows keep it visible, and the overlap keeps it whole in one of
two neighbours. The windows together cover every character.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SIZE = 64
OVERLAP = 16


@dataclass(frozen=True, slots=True)
class TextChunk:
    """`text` is characters `start` (included) to `end` (excluded) of the text it was cut from.

    `tokens` is how many of the encoder's tokens it spans.
    """

    text: str
    start: int
    end: int
    tokens: int


# The end of a sentence, or of a line: a list item or a heading is asked about on its own too.
_SENTENCE_END = re.compile(r"(?<=[.!?;…])\s+|(?<=[。！？])|\n+")
_LEAST_WORDS = 3


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text that has several; those too short to ask anything left out.

    Two questions in one prompt, or one inside a paragraph, are each seen undiluted this way.
    """
    parts = [part.strip() for part in _SENTENCE_END.split(text)]
    if len(parts) < 2:
        return []
    return [part for part in parts if len(part.split()) >= _LEAST_WORDS or not part.isascii()]


def check_window(size: int, overlap: int) -> None:
    """Raise ValueError unless 0 <= overlap < size: otherwise windows would not move on."""
    if not 0 <= overlap < size:
        raise ValueError(f"a window of {size} tokens cannot overlap by {overlap}")


def windows(
    text: str, spans: Sequence[tuple[int, int]], *, size: int = SIZE, overlap: int = OVERLAP
) -> list[TextChunk]:
    """Cut `text` into windows of at most `size` tokens, each sharing `overlap` with the last.

    `spans` are the tokens' (start, end) characters in order; neighbours may share characters, as
    the parts of one Hangul syllable do. Text of at most `size` tokens (also none: empty text, or
    only spaces) is one window. Raises ValueError for an overlap that is not in [0, size).
    """
    check_window(size, overlap)
    total = len(spans)
    if total <= size:
        return [TextChunk(text, 0, len(text), total)]
    chunks = []
    for first in range(0, total - overlap, size - overlap):
        after = min(first + size, total)
        # Characters between tokens go to the window before them, those in front to the first.
        start = spans[first][0] if first else 0
        end = max(spans[after][0], spans[after - 1][1]) if after < total else len(text)
        chunks.append(TextChunk(text[start:end], start, end, after - first))
    return chunks
