"""The phrase trie: forbidden byte strings as flat arrays that compiled code walks.

Nodes are numbered breadth first, so the edge with index e leads to node e + 1 and no target array
is needed: 5 bytes an edge plus 1 byte of flags. Built level by level in numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BOUNDED = 1  # a phrase that ends here needs a word boundary after it
UNBOUNDED = 2  # a phrase is acted on as soon as it gets here


@dataclass(frozen=True, slots=True)
class Trie:
    """Flat arrays of a trie.

    `first`: int32 (nodes + 1,), the edges of node n are first[n]:first[n + 1]; `labels`: uint8
    (edges,), sorted within a node; `accept`: uint8 (nodes,) of BOUNDED | UNBOUNDED; `ends`: for
    each phrase given to `build_trie`, the node it ends at.
    """

    first: NDArray[np.int32]
    labels: NDArray[np.uint8]
    accept: NDArray[np.uint8]
    ends: NDArray[np.int32]

    @property
    def nodes(self) -> int:
        return len(self.accept)

    @property
    def nbytes(self) -> int:
        return self.first.nbytes + self.labels.nbytes + self.accept.nbytes


def build_trie(phrases: Sequence[bytes], flags: Sequence[int]) -> Trie:
    """Build from non-empty byte strings and a flag (BOUNDED or UNBOUNDED) for each.

    Raises ValueError for an empty phrase: it would match everywhere.
    """
    if any(not phrase for phrase in phrases):
        raise ValueError("an empty phrase matches everywhere")
    order = sorted(range(len(phrases)), key=phrases.__getitem__)
    ordered = [phrases[i] for i in order]
    lengths = np.array([len(phrase) for phrase in ordered], dtype=np.int64)
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1])) if ordered else np.zeros(0, np.int64)
    text = np.frombuffer(b"".join(ordered), np.uint8)
    sorted_flags = np.array([flags[i] for i in order], dtype=np.uint8)

    labels: list[NDArray[np.uint8]] = []
    degrees: list[NDArray[np.int64]] = []
    node = np.zeros(len(ordered), dtype=np.int64)  # where each phrase has got to
    ends = np.zeros(len(ordered), dtype=np.int64)
    level_start, level_size, depth = 0, 1, 0
    while True:
        active = np.flatnonzero(lengths > depth)
        if not len(active):
            degrees.append(np.zeros(level_size, np.int64))
            break
        parents = node[active]
        byte = text[starts[active] + depth]
        # Phrases are sorted, so those that share a prefix are neighbours: one pass finds the edges.
        fresh = np.ones(len(active), dtype=bool)
        fresh[1:] = (parents[1:] != parents[:-1]) | (byte[1:] != byte[:-1])
        child = level_start + level_size + np.cumsum(fresh) - 1
        labels.append(byte[fresh])
        degrees.append(np.bincount(parents[fresh] - level_start, minlength=level_size))
        node[active] = child
        done = active[lengths[active] == depth + 1]
        ends[done] = node[done]
        level_start, level_size, depth = level_start + level_size, int(fresh.sum()), depth + 1

    first = np.zeros(sum(map(len, degrees)) + 1, dtype=np.int32)
    first[1:] = np.cumsum(np.concatenate(degrees))
    accept = np.zeros(len(first) - 1, dtype=np.uint8)
    np.bitwise_or.at(accept, ends, sorted_flags)
    original = np.empty(len(ordered), dtype=np.int32)
    original[order] = ends
    flat = np.concatenate(labels) if labels else np.zeros(0, np.uint8)
    return Trie(first, flat, accept, original)
