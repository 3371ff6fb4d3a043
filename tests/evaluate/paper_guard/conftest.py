"""The tiny model that recites an invented world, and an encoder that needs no weights."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from classifiers import TextChunk
from classifiers.encoder import Vectors
from tests.support.tiny_llama import tiny_llama


class Trigrams:
    """Bags of character trigrams: texts that share letters are near each other. Notes its calls."""

    name = "trigrams"
    dimension = 1024

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    @property
    def texts(self) -> list[str]:
        return [text for call in self.calls for text in call]

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        return np.stack([self._row(text.lower()) for text in texts])

    def windows(self, text: str) -> list[TextChunk]:
        return [TextChunk(text, 0, len(text), len(text.split()))]

    def _row(self, text: str) -> Vectors:
        row = np.zeros(self.dimension, dtype=np.float32)
        padded = f" {text} "
        for i in range(len(padded) - 2):
            row[zlib.crc32(padded[i : i + 3].encode()) % self.dimension] += 1
        return row / max(1.0, float(np.linalg.norm(row)))


@pytest.fixture
def trigrams() -> Trigrams:
    return Trigrams()


@pytest.fixture(scope="session")
def tiny() -> Iterator[tuple[Any, Any]]:
    """(model, tokenizer)"""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tiny_llama()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    torch.set_num_threads(threads)
