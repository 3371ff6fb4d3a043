"""What the engine calls when its forest changes: compile what completes, and bring it over."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from guard.restrict.completion_table import CompletionTable, compile_table
from guard.restrict.device.tables import DeviceTables
from guard.restrict.forest import Forest
from guard.restrict.letter_index import LetterIndex, letter_index
from guard.restrict.table_cache import TableCache, table_name
from guard.restrict.vocabulary import Vocabulary


class Planter:
    """For one background thread: it may wait for the device, and steps go on meanwhile."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        forest: Forest,
        tables: DeviceTables,
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
        """A trie stands at [root, end) of the forest; on return the device knows it too.

        Raises EngineError when the device has no room: then the trie must not be used.
        """
        trie, ahead = self._forest.trie_at(root, end)
        name = table_name(trie, self._vocabulary) if self._cache is not None else ""
        table = self._cache.load(name) if self._cache is not None else None
        if table is None:
            held = list(self._held.values())
            table = compile_table(trie, ahead, self._vocabulary, self._index, held)
            if self._cache is not None:
                self._cache.store(name, table)
        self._tables.plant(root, root + trie.nodes, table)
        self._held[root] = table

    def felled(self, root: int, end: int) -> None:
        """The trie at [root, end) is gone; no row uses it."""
        if self._held.pop(root, None) is not None:
            self._tables.fell(root)
