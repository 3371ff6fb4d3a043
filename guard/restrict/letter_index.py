"""The vocabulary by the letters that its tokens spell: what could spell a given suffix.

A thread in a phrase trie is taken to an acting point by a token whose letters, separators left out,
are those of the way there. The index says by the hash of a letter string which nodes of the
vocabulary's trie spell it in one of their readings, so that only those need to be walked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guard.restrict.compiled import njit, njit_nogil
from guard.restrict.folding import ALTERNATIVES, LETTER, SOFT, WORD, fold_tables
from guard.restrict.memory import find
from guard.restrict.utf8 import decode
from guard.restrict.vocabulary import Vocabulary

MAX_READINGS = 512  # letter strings of one node; below a node with more, nothing is indexed
EMPTY = 0xCBF29CE484222325  # the hash of no letters (FNV-1a, Fowler, Noll and Vo)

PREFIX = 0  # the string goes on in some token
WILD = 1  # so many readings below that any thread on this string must be walked in full


@dataclass(frozen=True, slots=True)
class LetterIndex:
    """An open-addressed table over hashes of letter strings.

    `keys`: uint64 (slots,), 0 where free; `kind`: uint8 (slots,) PREFIX or WILD; the nodes that
    spell the string of a slot with their last character a letter are
    nodes[start[slot]:start[slot] + size[slot]] (int32). `depth`: uint8 (vocabulary nodes,), bytes
    from the root.
    """

    keys: NDArray[np.uint64]
    kind: NDArray[np.uint8]
    start: NDArray[np.int32]
    size: NDArray[np.int32]
    nodes: NDArray[np.int32]
    depth: NDArray[np.int32]


@njit
def add_byte(value: Any, byte: int) -> Any:
    """The hash of a letter string with one byte more."""
    return (value ^ np.uint64(byte)) * np.uint64(0x100000001B3)


@njit
def slot_key(value: Any) -> Any:
    """The key under which a hash stands in the table; never 0."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    return value | np.uint64(1)


def letter_index(vocabulary: Vocabulary) -> LetterIndex:
    """Index a vocabulary; linear in its size, about a second for 262,144 tokens."""
    v, tables = vocabulary, fold_tables()
    nodes = len(v.low)
    depth = np.zeros(nodes, dtype=np.int32)
    room = 4 * nodes + 512 * MAX_READINGS
    while True:
        hashes, ends = np.zeros(room, np.uint64), np.zeros(room, np.bool_)
        starts, counts = np.zeros(nodes, np.int64), np.zeros(nodes, np.int32)
        between, wild = np.zeros(room, np.uint64), np.zeros(room, np.uint64)
        used, n_between, n_wild = _spell(
            v.first, v.labels, tables.code, tables.symbols, tables.alternatives,
            hashes, ends, starts, counts, depth, between, wild,
        )  # fmt: skip
        if used >= 0:
            break
        room *= 2
    owner = np.repeat(np.arange(nodes, dtype=np.int32), counts)
    at = np.repeat(starts, counts) + (
        np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    )
    last = ends[at]
    order = np.argsort(hashes[at][last], kind="stable")
    spelled, places, sizes = np.unique(
        hashes[at][last][order], return_index=True, return_counts=True
    )
    names = np.unique(np.concatenate((hashes[:used], between[:n_between], wild[:n_wild])))
    slots = 1 << int(2 * len(names) + 16).bit_length()
    keys, kind = np.zeros(slots, np.uint64), np.zeros(slots, np.uint8)
    start, size = np.zeros(slots, np.int32), np.zeros(slots, np.int32)
    _enter(
        keys, kind, start, size, names, np.unique(wild[:n_wild]), spelled,
        places.astype(np.int32), sizes.astype(np.int32),
    )  # fmt: skip
    return LetterIndex(keys, kind, start, size, owner[last][order], depth)


@njit
def _note(hashes: Any, ends: Any, begin: int, count: int, value: Any, is_end: bool) -> int:
    for i in range(begin, begin + count):
        if hashes[i] == value and ends[i] == is_end:
            return count
    hashes[begin + count] = value
    ends[begin + count] = is_end
    return count + 1


@njit_nogil
def _spell(
    first: Any, labels: Any, code: Any, symbols: Any, alternatives: Any,
    hashes: Any, ends: Any, starts: Any, counts: Any, depth: Any, between: Any, wild: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """The letter strings of every node; (-1, 0, 0) when there is no room for them."""
    nodes = len(starts)
    need = np.zeros(nodes, dtype=np.uint8)
    value = np.zeros(nodes, dtype=np.int32)
    hashes[0] = np.uint64(EMPTY)
    counts[0] = 1
    used, n_between, n_wild = 1, 0, 0
    for node in range(nodes):
        for edge in range(first[node], first[node + 1]):
            below = edge + 1
            depth[below] = depth[node] + 1
            n, v, _, point = decode(need[node], value[node], labels[edge])
            need[below], value[below] = n, v
            room = (MAX_READINGS + 1) * 4
            if used + room > len(hashes) or n_between + 32 * room > len(between):
                return -1, 0, 0
            if n_wild + room > len(wild):
                return -1, 0, 0
            starts[below] = used
            count = 0
            if point < 0:
                for i in range(starts[node], starts[node] + counts[node]):
                    count = _note(hashes, ends, used, count, hashes[i], False)
            else:
                entry = int(code[point]) if point < 0x110000 else SOFT
                readings = 1
                if entry & 7 == ALTERNATIVES:
                    readings = (entry >> 4) & 63
                for r in range(readings):
                    reading = entry
                    if entry & 7 == ALTERNATIVES:
                        reading = int(alternatives[(entry >> 10) + r])
                    is_letter = reading & 7 == LETTER or reading & 7 == WORD
                    for i in range(starts[node], starts[node] + counts[node]):
                        name = hashes[i]
                        if is_letter:
                            length = (reading >> 4) & 63
                            for s in range(length):
                                name = add_byte(name, symbols[(reading >> 10) + s])
                                if s + 1 < length:
                                    between[n_between] = name
                                    n_between += 1
                        count = _note(hashes, ends, used, count, name, is_letter)
            if count > MAX_READINGS:
                for i in range(starts[node], starts[node] + counts[node]):
                    wild[n_wild] = hashes[i]
                    n_wild += 1
                count = 0
            counts[below] = count
            used += count
    return used, n_between, n_wild


@njit_nogil
def _enter(
    keys: Any, kind: Any, start: Any, size: Any, names: Any, wild: Any, spelled: Any, places: Any,
    sizes: Any,
) -> None:  # fmt: skip
    for i in range(len(names)):
        key = slot_key(names[i])
        slot = find(keys, key)
        if slot < 0:
            keys[-1 - slot] = key
    for i in range(len(wild)):
        kind[find(keys, slot_key(wild[i]))] = WILD
    for i in range(len(spelled)):
        slot = find(keys, slot_key(spelled[i]))
        # Two strings with one key are as good as certain never to be: the second would be lost.
        start[slot] = places[i]
        size[slot] = sizes[i]
