"""All tries that an engine's process holds, end to end in memory reserved once.

A node's number is its place in these arrays, so that one compiled walk serves any of the tries, and
several at once. The edge e leads to node e + 1 here too: a trie takes as many edge places as node
places, and one more.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from guard.errors import EngineError
from guard.restrict.outlook import Outlook
from guard.restrict.trie import Trie

BYTES_A_NODE = 4 + 1 + 1 + 1 + 8  # of the arrays below


@dataclass
class Forest:
    """Room for `nodes` trie nodes; 15 bytes each, touched only when used."""

    nodes: int
    first: NDArray[np.int32] = field(init=False, repr=False)
    labels: NDArray[np.uint8] = field(init=False, repr=False)
    accept: NDArray[np.uint8] = field(init=False, repr=False)
    reach: NDArray[np.uint8] = field(init=False, repr=False)
    shape: NDArray[np.uint64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.first = np.zeros(self.nodes, dtype=np.int32)
        self.labels = np.zeros(self.nodes, dtype=np.uint8)
        self.accept = np.zeros(self.nodes, dtype=np.uint8)
        self.reach = np.zeros(self.nodes, dtype=np.uint8)
        self.shape = np.zeros(self.nodes, dtype=np.uint64)
        self._used: dict[int, int] = {}  # root -> places

    @property
    def used(self) -> int:
        """Node places taken."""
        return sum(self._used.values())

    def plant(self, trie: Trie, outlook: Outlook) -> int:
        """Copy a trie in; returns its root. Raises EngineError when there is no room for it."""
        size = trie.nodes + 1
        root = self._room(size)
        end = root + trie.nodes
        self.first[root : end + 1] = trie.first + root
        self.labels[root : root + len(trie.labels)] = trie.labels
        self.accept[root:end] = trie.accept
        self.reach[root:end] = outlook.reach
        self.shape[root:end] = outlook.shape
        self._used[root] = size
        return root

    def trie_at(self, root: int, end: int) -> tuple[Trie, Outlook]:
        """The trie whose nodes stand at [root, end), numbered from 0 again; its `ends` are empty,
        since the forest does not keep them."""
        first = self.first[root : end + 1] - root
        trie = Trie(first, self.labels[root : root + first[-1]], self.accept[root:end], first[:0])
        return trie, Outlook(self.reach[root:end], self.shape[root:end])

    def fell(self, root: int) -> None:
        """Give a trie's places back."""
        del self._used[root]

    def _room(self, size: int) -> int:
        at = 0
        for root in sorted(self._used):
            if root - at >= size:
                return at
            at = root + self._used[root]
        if self.nodes - at < size:
            raise EngineError(
                f"no room for a trie of {size} nodes: {self.nodes - self.used} of {self.nodes} left"
            )
        return at
