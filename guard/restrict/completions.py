"""The completion tables of all tries that a process holds, end to end in memory reserved once.

What `Memory` finds when a thread first meets it, these arrays hold before any request may use the
trie: a step then only looks things up.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from guard.errors import EngineError
from guard.restrict.completion_table import NOTHING, VARIANTS, CompletionTable
from guard.restrict.segments import Segments

UNKNOWN = -2  # of a node: no table covers it


@dataclass
class Completions:
    """`entry`: int32 (nodes,), for each node of the forest its row of `place`, NOTHING or UNKNOWN;
    `place`: int32 (rows, VARIANTS, 2), start and size in `pool`; `pool`: int32 (intervals, 2)."""

    nodes: int
    rows: int = 1 << 20
    intervals: int = 1 << 24
    entry: NDArray[np.int32] = field(init=False, repr=False)
    place: NDArray[np.int32] = field(init=False, repr=False)
    pool: NDArray[np.int32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Stored one up, so that memory that was never touched reads as UNKNOWN.
        self.entry = np.zeros(self.nodes, dtype=np.int32)
        self.place = np.zeros((self.rows, VARIANTS, 2), dtype=np.int32)
        self.pool = np.zeros((self.intervals, 2), dtype=np.int32)
        self._place_room = Segments(self.rows, "rows of completing tokens")
        self._pool_room = Segments(self.intervals, "intervals of completing tokens")
        self._taken: dict[int, tuple[int, int, int]] = {}  # root -> end, starts in place and pool

    def plant(self, root: int, end: int, table: CompletionTable) -> None:
        """Take in the table of the trie at [root, end). Raises EngineError without room for it."""
        rows = self._place_room.take(len(table.place))
        try:
            start = self._pool_room.take(len(table.pool))
        except EngineError:
            self._place_room.give_back(rows)
            raise
        self.pool[start : start + len(table.pool)] = table.pool
        place = table.place.copy()
        place[:, :, 0] += start
        self.place[rows : rows + len(place)] = place
        entry = np.where(table.entry == NOTHING, NOTHING, table.entry + rows)
        self.entry[root:end] = entry - UNKNOWN
        self._taken[root] = (end, rows, start)

    def fell(self, root: int) -> None:
        """Give back what the trie at `root` had."""
        end, rows, start = self._taken.pop(root)
        self.entry[root:end] = 0
        self._place_room.give_back(rows)
        self._pool_room.give_back(start)
