"""What lies ahead of every node of a phrase trie: how near the next match is, and its shape.

Both are functions of the sub-trie alone. `reach` lets a walk ignore the places from which no token
completes a phrase; equal `shape`s share what was computed for one of them, across tries and policy
sets: the last letters of phrases repeat themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guard.restrict.compiled import njit
from guard.restrict.trie import Trie

FARTHEST = 255  # bytes of letters; a node with no phrase below it has this reach too
_BOUNDARY = 0x20  # labels up to this one stand for word boundaries, which take no letter


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is computed for each node.

    `reach`: uint8 (nodes,), the fewest bytes of letters from a node to a phrase's acting point
    below it; `shape`: uint64 (nodes,), a hash of the sub-trie below and of what ends at the node.
    """

    reach: NDArray[np.uint8]
    shape: NDArray[np.uint64]


@njit
def _mix(value: Any) -> Any:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit depends on every bit."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit
def _look(first: Any, labels: Any, accept: Any, reach: Any, shape: Any) -> None:
    # Children have higher numbers than their parents: one pass from the end sees them first.
    for node in range(len(accept) - 1, -1, -1):
        nearest = 255
        value = _mix(np.uint64(accept[node]) + np.uint64(0x9E3779B97F4A7C15))
        for edge in range(first[node], first[node + 1]):
            below = edge + 1
            cost = 1 if labels[edge] > 32 else 0
            distance = cost if accept[below] else min(255, cost + reach[below])
            nearest = min(nearest, distance)
            value = _mix(value ^ _mix(shape[below] + np.uint64(labels[edge])))
        reach[node] = nearest
        shape[node] = value


def outlook(trie: Trie) -> Outlook:
    """Compute both, in time linear in the size of the trie."""
    reach = np.full(trie.nodes, FARTHEST, dtype=np.uint8)
    shape = np.zeros(trie.nodes, dtype=np.uint64)
    _look(trie.first, trie.labels, trie.accept, reach, shape)
    return Outlook(reach, shape)
