"""The longest run of a forbidden text that an answer lets out: verbatim, normalised, by meaning.

Independent of the filter that it measures: plain words and characters, no automaton.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


def longest_verbatim(answer: str, texts: Sequence[str]) -> int:
    """Characters of the longest substring that the answer shares with one of the texts."""
    return max((_longest(answer, text) for text in texts), default=0)


def longest_words(answer: str, texts: Sequence[str]) -> int:
    """Words of the longest run shared with one of the texts, in plain letters without marks."""
    said = normalised_words(answer)
    return max((_longest(said, normalised_words(text)) for text in texts), default=0)


def nearest_meaning(answer: str, texts: Sequence[str], encode: Encode) -> float:
    """The highest cosine of a sentence of the answer with a text; 0 where either has none.

    `encode` gives unit vectors, (texts, width).
    """
    parts = [part.strip() for part in answer.replace("\n", ". ").split(". ") if part.strip()]
    if not parts or not texts:
        return 0.0
    return float((encode(parts) @ encode(list(texts)).T).max())


def normalised_words(text: str) -> list[str]:
    """Lower-case words in compatibility form, without marks, punctuation and invisible signs."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    kept = (c for c in plain if unicodedata.category(c)[0] not in "MC" or c.isspace())
    return "".join(c if c.isalnum() or c.isspace() else " " for c in kept).split()


def _longest(first: Sequence[str], second: Sequence[str]) -> int:
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    return matcher.find_longest_match().size
