"""A token encoder whose tokens are words: each has its own unit vector."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from classifiers import TextChunk, windows
from classifiers.encoder import Vectors

WORDS = """
[UNK] where was born the of painter violinist prize lighthouse keeper did win which river boil an
egg for how long capital city bread bake stars harbour almanac cedar
""".split()  # noqa: SIM905
SIZE = 12


class WordsEncoder:
    """`fails`: what `encode_tokens` raises, if anything."""

    name = "words"
    dimension = SIZE

    def __init__(self, fails: Exception | None = None) -> None:
        self.vocabulary = {word: number for number, word in enumerate(WORDS)}
        self.asked = 0
        self.fails = fails

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        words = (text.casefold().replace("?", "").split() for text in texts)
        return [[self.vocabulary.get(word, 0) for word in row] for row in words]

    def encode_tokens(self, ids: Sequence[int]) -> Vectors:
        if self.fails is not None:
            raise self.fails
        self.asked += len(ids)
        return np.stack([self._row(str(number)) for number in ids])

    def encode(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._row(text) for text in texts])

    def windows(self, text: str) -> list[TextChunk]:
        return windows(text, [(at, at + 1) for at, _ in enumerate(text.split())], size=512)

    def _row(self, text: str) -> Vectors:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        row = np.random.default_rng(seed).standard_normal(SIZE).astype(np.float32)
        return row / np.linalg.norm(row)
