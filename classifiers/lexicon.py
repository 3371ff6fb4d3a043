"""Which words of a language are near some others: each embedded once and kept on disk."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from classifiers.conversion import cache_folder
from classifiers.encoder import Encoder, Vectors
from classifiers.errors import Closed

# A batch this small delays a request that comes meanwhile by a few milliseconds at most.
BATCH = 16
ROWS = 512  # of cosines at once: 512 by 30,000 words are 60 MB


class Lexicon:
    """The vectors of `words`, in the cache folder by encoder and words. Made when first asked for:
    seconds, on the calling thread."""

    def __init__(self, words: Sequence[str], encoder: Encoder) -> None:
        self._words = tuple(words)
        self._encoder = encoder
        self._vectors: Vectors | None = None
        self._lock = threading.Lock()
        self._known: dict[str, Vectors] = {}
        self._closed = False

    @property
    def path(self) -> Path:
        """Where the vectors are kept."""
        digest = hashlib.sha256("\n".join((self._encoder.name, *self._words)).encode()).hexdigest()
        return cache_folder() / "lexicon" / f"{digest[:32]}.npy"

    def near(self, words: Sequence[str], floor: float) -> dict[str, float]:
        """The words of the lexicon whose largest cosine with one of `words` is `floor` or more,
        with that cosine. Raises what the encoder raises, Closed, and OSError when the folder
        cannot be used."""
        if not words:
            return {}
        with self._lock:
            vectors = self._loaded()
            asked = np.stack(self._embedded(words))
        best = np.full(len(self._words), -1.0, dtype=np.float32)
        for first in range(0, len(asked), ROWS):
            cosines = asked[first : first + ROWS] @ vectors.T
            np.maximum(best, cosines.max(axis=0), out=best)
        return {self._words[i]: float(best[i]) for i in np.flatnonzero(best >= floor)}

    def close(self) -> None:
        """End what is being embedded: it raises Closed."""
        self._closed = True

    def _loaded(self) -> Vectors:
        if self._vectors is None:
            try:
                self._vectors = np.load(self.path).astype(np.float32)
            except (OSError, ValueError, EOFError):
                self._vectors = np.stack(self._encoded(self._words))
                self._keep(self._vectors)
            self._known = dict(zip(self._words, self._vectors, strict=True))
        return self._vectors

    def _embedded(self, words: Sequence[str]) -> list[Vectors]:
        missing = [word for word in words if word not in self._known]
        found = dict(zip(missing, self._encoded(missing), strict=True))
        return [self._known[word] if word in self._known else found[word] for word in words]

    def _encoded(self, words: Sequence[str]) -> list[Vectors]:
        rows: list[Vectors] = []
        for first in range(0, len(words), BATCH):
            if self._closed:
                raise Closed
            rows += list(self._encoder.encode(words[first : first + BATCH]))
        return rows

    def _keep(self, vectors: Vectors) -> None:
        """Half precision is enough for a threshold, and half the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", dir=self.path.parent)
        with os.fdopen(handle, "wb") as file:
            np.save(file, vectors.astype(np.float16))
        Path(name).replace(self.path)
