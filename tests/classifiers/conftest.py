"""Shared encoders: the packaged MiniLM, and a deterministic one where meaning plays no part."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from classifiers import BatchedEncoder, MiniLM, TextChunk, windows
from classifiers.encoder import Vectors


class HashEncoder:
    """Every text gets its own random unit vector; words are tokens. Can be held and made fail."""

    name = "hash"
    dimension = 8

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.free = threading.Event()
        self.free.set()
        self.entered = threading.Event()

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(list(texts))
        self.entered.set()
        assert self.free.wait(20)
        if any("fail" in text for text in texts):
            raise RuntimeError("this batch fails")
        return np.stack([self.row(text) for text in texts])

    def row(self, text: str) -> Vectors:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        draw = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        row = draw.standard_normal(self.dimension).astype(np.float32)
        return row / np.linalg.norm(row)

    def windows(self, text: str) -> list[TextChunk]:
        spans, at = [], 0
        for word in text.split():
            at = text.index(word, at)
            spans.append((at, at + len(word)))
            at += len(word)
        return windows(text, spans, size=8, overlap=2)


@pytest.fixture
def hash_encoder() -> HashEncoder:
    return HashEncoder()


@pytest.fixture
def batched(hash_encoder: HashEncoder) -> Iterator[BatchedEncoder]:
    made = BatchedEncoder(hash_encoder, max_batch=4, max_queue=12, cache_size=8)
    yield made
    hash_encoder.free.set()
    made.close()


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    return MiniLM()


@pytest.fixture
def batched_minilm(minilm: MiniLM) -> Iterator[BatchedEncoder]:
    made = BatchedEncoder(minilm)
    yield made
    made.close()
