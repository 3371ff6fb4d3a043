"""Porter's stemmer with the small departures of the Natural Language Toolkit, which is it.

ROUGE scores of the published unlearning benchmarks were made with that variant, so figures compare
only when words are cut the same way. Source: M. F. Porter, An algorithm for suffix stripping
(1980).
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any


@cache
def _stemmer() -> Any:
    from nltk.stem import PorterStemmer  # a second and a half to import

    return PorterStemmer()


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The stem of one lower-case word; words of one or two letters stay as they are."""
    return str(_stemmer().stem(word))
