"""What was found to complete a phrase, remembered by the shape of what lies below a thread.

A hash table and a pool of intervals of fixed size; when either is full, all is forgotten and found
again, which costs time and never correctness. Shapes are hashes of content, so nothing in here goes
out of date when policies change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guard.restrict.compiled import njit

MISSING = -1


@dataclass
class Memory:
    """`keys` uint64, `place` and `size` int32, all (slots,): an open-addressed table; `pool`: int32
    (intervals, 2); `used`: int64 (2,), slots and pool rows in use."""

    slots: int = 1 << 17
    intervals: int = 1 << 22
    keys: NDArray[np.uint64] = field(init=False, repr=False)
    place: NDArray[np.int32] = field(init=False, repr=False)
    size: NDArray[np.int32] = field(init=False, repr=False)
    pool: NDArray[np.int32] = field(init=False, repr=False)
    used: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.slots & (self.slots - 1):
            raise ValueError("slots must be a power of two")
        self.keys = np.zeros(self.slots, dtype=np.uint64)
        self.place = np.zeros(self.slots, dtype=np.int32)
        self.size = np.zeros(self.slots, dtype=np.int32)
        self.pool = np.zeros((self.intervals, 2), dtype=np.int32)
        self.used = np.zeros(2, dtype=np.int64)

    def forget(self) -> None:
        """Empty it."""
        self.keys[:] = 0
        self.used[:] = 0


@njit
def memory_key(shape: Any, variant: int) -> Any:
    """The key of a thread: the shape below its node, and what else its future depends on."""
    value = (shape ^ np.uint64(variant)) * np.uint64(0x9E3779B97F4A7C15)
    value ^= value >> np.uint64(32)
    return value | np.uint64(1)  # 0 marks a free slot


@njit
def find(keys: Any, key: Any) -> Any:
    """The slot of a key, or where it would go as a negative number: -1 - slot."""
    mask = np.uint64(len(keys) - 1)
    slot = key >> np.uint64(7) & mask
    while keys[slot] != 0:
        if keys[slot] == key:
            return np.int64(slot)
        slot = (slot + np.uint64(1)) & mask
    return -1 - np.int64(slot)
