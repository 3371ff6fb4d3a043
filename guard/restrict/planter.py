"""What is done for a trie before it may be used: compile what completes its phrases."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Protocol

from guard.restrict.completion_table import CompletionTable, compile_table
from guard.restrict.forest import Forest
from guard.restrict.letter_index import LetterIndex, letter_index
from guard.restrict.table_cache import TableCache, table_name
from guard.restrict.vocabulary import Vocabulary


class Tables(Protocol):
    """Where tables are kept for the walk: this host's `Completions`, or `DeviceTables`."""

    def plant(self, root: int, end: int, table: CompletionTable) -> None:
        """Take in the table of the trie at [root, end). Raises EngineError without room."""

    def fell(self, root: int) -> None:
        """Give back what the trie at `root` had."""


class Planter:
    """The backend of an engine, for its one background thread: it may take its time, and wait for
    a device, while steps go on. With a `cache` directory tables are compiled once."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        forest: Forest,
        tables: Tables,
        *,
        cache: Path | None = None,
    ) -> None:
        self._vocabulary = vocabulary
        self._forest = forest
        self._tables = tables
        self._cache = TableCache(cache) if cache is not None else None
        self._held: dict[int, CompletionTable] = {}

    @cached_property
    def _index(self) -> LetterIndex:
        return letter_index(self._vocabulary)

    def planted(self, root: int, end: int) -> None:
        """A trie stands at [root, end) of the forest; on return its table is in place. Raises
        EngineError when there is no room for it: then the trie must not be used."""
        trie, ahead = self._forest.trie_at(root, end)
        name = table_name(trie, self._vocabulary)
        table = self._cache.load(name) if self._cache is not None else None
        if table is None:
            held = list(self._held.values())
            table = compile_table(trie, ahead, self._vocabulary, self._index, held)
            if self._cache is not None:
                self._cache.store(name, table)
        self._tables.plant(root, end, table)
        self._held[root] = table

    def felled(self, root: int, end: int) -> None:
        """The trie at [root, end) is gone; no row uses it."""
        if self._held.pop(root, None) is not None:
            self._tables.fell(root)
