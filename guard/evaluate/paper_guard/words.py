"""The soft penalty: how near a word is to what is forbidden, each word encoded once.

A word is what stands between white space, without the punctuation around it and without case (the
encoder has none). While its tokens come it is the word as it stands: "Par" until "Paris" replaces
it, never "is".
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from classifiers.encoder import Encoder, Vectors

# The encoder reads at most 512 tokens; a longer stretch without white space is several words.
_WORDS = re.compile(r"\S{1,100}")


def words_of(text: str) -> list[str]:
    """The words of a text as written, punctuation included."""
    return _WORDS.findall(text)


def bare(word: str) -> str:
    """What is encoded of a word; empty when it has no letter and no digit."""
    inside = [i for i, character in enumerate(word) if unicodedata.category(character)[0] in "LN"]
    return word[inside[0] : inside[-1] + 1].lower() if inside else ""


class WordVectors:
    """Unit vectors of words, from one encoder, kept up to `room` words and then begun anew.

    `calls` counts the calls of the encoder since the beginning, `encoded` the texts in them.
    """

    def __init__(self, encoder: Encoder, *, room: int = 1 << 16) -> None:
        self._encoder = encoder
        self._room = room
        self._vectors: dict[str, Vectors] = {}
        self.calls = 0
        self.encoded = 0

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 (n, d), not kept; raises what the encoder raises."""
        self.calls += 1
        self.encoded += len(texts)
        return self._encoder.encode(texts)

    def encode_long(self, text: str) -> Vectors:
        """float32 (n, d) of the n windows of a text of any length."""
        return self.encode([chunk.text for chunk in self._encoder.windows(text)])

    def of(self, words: Sequence[str]) -> Vectors:
        """float32 (len(words), d); one call of the encoder for those not seen before, if any."""
        if len(self._vectors) + len(words) > self._room:
            self._vectors.clear()
        missing = [word for word in dict.fromkeys(words) if word not in self._vectors]
        if missing:
            self._vectors.update(zip(missing, self.encode(missing), strict=True))
        return np.stack([self._vectors[word] for word in words])


class WordPenalty:
    """How near words are to some forbidden spans: `max_f cos(w, f)`, or infinity from delta on.

    `delta` None: never infinity; `soft`: times the cosine. With neither the encoder is not called.
    """

    def __init__(
        self, vectors: WordVectors, spans: Sequence[str], *, delta: float | None, soft: float
    ) -> None:
        self._vectors = vectors
        self._delta, self._soft = delta, soft
        self._known: dict[str, float] = {"": 0.0}
        self._reads = bool(spans) and (delta is not None or soft > 0)
        if self._reads:
            self._spans = np.concatenate([vectors.encode_long(span) for span in spans])

    def prepare(self, words: Iterable[str]) -> None:
        """Work out the penalties of these words, as written, in one go."""
        missing = list(dict.fromkeys(w for w in map(bare, words) if w not in self._known))
        if not missing:
            return
        if not self._reads:
            self._known.update(dict.fromkeys(missing, 0.0))
            return
        nearest = (self._vectors.of(missing) @ self._spans.T).max(axis=1)
        for word, cosine in zip(missing, nearest.tolist(), strict=True):
            near = self._delta is not None and cosine >= self._delta
            self._known[word] = math.inf if near else self._soft * cosine

    def of(self, word: str) -> float:
        """The penalty of a word as written; infinity when it may not be taken."""
        self.prepare((word,))
        return self._known[bare(word)]
