"""A sentence as the weighted mean of fixed token vectors, distilled from the sentence encoder.

Each token goes through the encoder once, as a text of its own; the mean and the directions that
most vary come off (they say that something is text, not what), the rest is reduced by principal
components, and common words count little. After Model2Vec (Tulkens and van Dongen 2024,
github.com/MinishLab/model2vec): the forward pass of single tokens and the reduction are its; the
weights are those of SIF (Arora, Liang and Ma, ICLR 2017, a/(a + p)) on `wordfreq`'s frequencies,
where Model2Vec takes Zipf's law by the place in the vocabulary. Tens of microseconds a prompt.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from classifiers.conversion import cache_folder
from classifiers.encoder import Vectors
from classifiers.errors import Closed
from classifiers.windows import TextChunk
from classifiers.words import frequency

DIMENSION = 256
COMMON = 1  # leading components that are dropped
SIF = 3e-4
UNKNOWN = "[UNK]"
VERSION = 1  # of this recipe: part of the cache's name
BATCH = 16  # tokens at once: a request that comes meanwhile waits a few milliseconds at most


class TokenEncoder(Protocol):
    """What distillation needs of a sentence encoder."""

    @property
    def name(self) -> str:
        """Model, runtime and precision."""

    @property
    def vocabulary(self) -> Mapping[str, int]:
        """Every token with its id."""

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, without markers."""

    def encode_tokens(self, ids: Sequence[int]) -> Vectors:
        """float32 (n, d), L2-normalised: each token as a text of its own."""

    def windows(self, text: str) -> list[TextChunk]:
        """Windows of a text."""


class StaticEncoder:
    """Texts as weighted means of `table` (vocabulary, DIMENSION), whose rows hold the weights.

    A token without a row (all zeros) is unknown. Immutable; callable from any thread.
    """

    def __init__(self, encoder: TokenEncoder, table: Vectors) -> None:
        self._encoder = encoder
        self._table = table
        self._known: npt.NDArray[np.bool_] = np.any(table, axis=1)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._table.shape[1])

    def encode(self, texts: Sequence[str]) -> tuple[Vectors, npt.NDArray[np.bool_]]:
        """float32 (n, d), L2-normalised, and for each text whether all its tokens are known and
        it has any: of another the vector says nothing."""
        rows = self._encoder.token_ids(texts)
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        count = int(lengths.sum())
        whole = lengths > 0
        ids = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=count)
        starts = (np.cumsum(lengths) - lengths)[whole]
        if len(starts) == len(rows):  # most texts: each has a token
            sums = self._summed(ids, starts)
        else:
            sums = np.zeros((len(rows), self.dimension), dtype=np.float32)
            sums[whole] = self._summed(ids, starts)
        known = self._known.take(ids)
        if not known.all():
            whole[whole] = np.logical_and.reduceat(known, starts)
        norms = np.sqrt(np.add.reduce(sums * sums, axis=1, keepdims=True))
        is_something = norms > 0
        whole &= is_something[:, 0]
        return sums / np.where(is_something, norms, 1.0), whole

    def _summed(self, ids: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> Vectors:
        """The sum of the rows of each stretch of `ids` that begins at `starts`."""
        if not len(starts):
            return np.empty((0, self.dimension), dtype=np.float32)
        # "clip" as all ids are in the table: other modes copy what they took once more.
        taken = self._table.take(ids, axis=0, mode="clip")
        return np.add.reduceat(taken, starts, axis=0)


def cached(encoder: TokenEncoder) -> StaticEncoder | None:
    """The static encoder that was distilled on this machine before; None without one."""
    try:
        table = np.load(_path(encoder)).astype(np.float32)
    except (OSError, ValueError, EOFError):
        return None
    if table.ndim != 2 or len(table) != _size(encoder.vocabulary):
        return None
    return StaticEncoder(encoder, table)


def distilled(
    encoder: TokenEncoder,
    *,
    tokens: Sequence[int] | None = None,
    dimension: int = DIMENSION,
    closed: Callable[[], bool] = lambda: False,
) -> StaticEncoder:
    """Send every token (or only `tokens`: all others are unknown then) through the encoder.

    Under a minute of one core for MiniLM's 30,522 tokens. Raises Closed once `closed` says so.
    """
    vocabulary = encoder.vocabulary
    ids = np.array(sorted(vocabulary.values()) if tokens is None else tokens, dtype=np.int64)
    rows = []
    for first in range(0, len(ids), BATCH):
        if closed():
            raise Closed
        rows.append(encoder.encode_tokens(ids[first : first + BATCH].tolist()))
    vectors = np.concatenate(rows)
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)  # ascending
    kept = axes[:, ::-1][:, COMMON : COMMON + dimension]
    spelled = {number: token for token, number in vocabulary.items()}
    weights = np.array([SIF / (SIF + frequency(spelled[one])) for one in ids.tolist()])
    table = np.zeros((_size(vocabulary), kept.shape[1]), dtype=np.float32)
    table[ids] = (centred @ kept) * weights[:, None]
    if UNKNOWN in vocabulary:
        table[vocabulary[UNKNOWN]] = 0.0  # it stands for anything
    return StaticEncoder(encoder, table.astype(np.float16).astype(np.float32))


def keep(static: StaticEncoder, encoder: TokenEncoder) -> None:
    """Put a whole table into the cache folder, in half precision. Raises OSError."""
    path = _path(encoder)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        np.save(file, static._table.astype(np.float16))
    Path(name).replace(path)


def _size(vocabulary: Mapping[str, int]) -> int:
    return max(vocabulary.values()) + 1


def _path(encoder: TokenEncoder) -> Path:
    recipe = (encoder.name, VERSION, DIMENSION, COMMON, SIF, sorted(encoder.vocabulary.items()))
    return (
        cache_folder() / "static" / f"{hashlib.sha256(repr(recipe).encode()).hexdigest()[:32]}.npy"
    )
