"""Completion tables on disk, by what they were made from."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from guard.restrict.completion_table import CompletionTable
from guard.restrict.folding import fold_tables
from guard.restrict.trie import Trie
from guard.restrict.vocabulary import Vocabulary

_FORMAT = "guard-completions-2"
_ARRAYS = ("entry", "place", "pool", "shapes")


def table_name(trie: Trie, vocabulary: Vocabulary) -> str:
    """The hash of what a table follows from: trie, vocabulary, folding and this code's format."""
    digest = hashlib.sha256(f"{_FORMAT} {fold_tables().unicode_version}".encode())
    digest.update(vocabulary.hash.encode())
    for array in (trie.first, trie.labels, trie.accept):
        digest.update(b"%d:" % array.nbytes)
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class TableCache:
    """A directory of tables. A file that cannot be read or written is as good as none: the table
    is then compiled. Tables tell about forbidden texts: the owner alone may read them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, name: str) -> CompletionTable | None:
        """A table, or None."""
        try:
            with np.load(self._path / f"{name}.npz") as arrays:
                return CompletionTable(**{array: arrays[array] for array in _ARRAYS})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def store(self, name: str, table: CompletionTable) -> bool:
        """Keep a table; whether that worked."""
        try:
            self._path.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, scratch = tempfile.mkstemp(prefix=".", dir=self._path)
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **{array: getattr(table, array) for array in _ARRAYS})
            Path(scratch).replace(self._path / f"{name}.npz")
        except OSError:
            return False
        return True
