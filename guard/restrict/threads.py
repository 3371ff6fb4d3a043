"""The threads of a walk: what becomes of each with one more character. See `walk.py`.

No Python object is touched in here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from guard.restrict.compiled import njit
from guard.restrict.folding import ALTERNATIVES, IGNORED, LETTER, SPACE, WORD
from guard.restrict.state import (
    CAPACITY,
    FIELDS,
    FOUND,
    GAP,
    GROUP,
    HEADER,
    INVISIBLE,
    NODE,
    PENDING,
    PENDING_FIELDS,
    SEP,
    START,
)
from guard.restrict.trie import BOUNDED, UNBOUNDED

# The symbols that stand for a word boundary inside a phrase.
SOFT_BOUNDARY = 0x20  # the two words may be glued in the text
HARD_BOUNDARY = 0x1F  # they may not: glued they are an ordinary word ("will power")

MAX_INVISIBLE = 16  # more invisible characters than this inside a live phrase are a disguise
MAX_GAP = 64  # after more separators than this, what came before is no longer held


@njit
def child(first: Any, labels: Any, node: int, byte: int) -> int:
    """The node behind the edge labelled `byte`, or -1."""
    low = first[node]
    high = first[node + 1]
    while high - low > 8:
        middle = (low + high) >> 1
        if labels[middle] <= byte:
            low = middle
        else:
            high = middle
    while low < high:
        if labels[low] == byte:
            return low + 1
        low += 1
    return -1


@njit
def advance(first: Any, labels: Any, node: int, symbols: Any, entry: int) -> int:
    """The node after all bytes of a letter's symbol, or -1."""
    length = (entry >> 4) & 63
    offset = entry >> 10
    for i in range(length):
        node = child(first, labels, node, symbols[offset + i])
        if node < 0:
            return -1
    return node


@njit
def put(
    state: Any, base: int, count: int, slots: Any,
    node: int, start: int, sep: int, group: int, invisible: int, gap: int,
) -> int:  # fmt: skip
    """Add a thread unless the same one is there; of two alike the earlier start counts."""
    slot = slots[node]
    if slot < count and state[base + slot * FIELDS + NODE] == node:
        for i in range(slot, count):
            at = base + i * FIELDS
            same = state[at + NODE] == node and state[at + SEP] == sep
            if same and (state[at + GROUP] == 1) == (group == 1):
                state[at + START] = min(state[at + START], start)
                return count
    else:
        slots[node] = count
    at = base + count * FIELDS
    state[at + NODE] = node
    state[at + START] = start
    state[at + SEP] = sep
    state[at + GROUP] = group
    state[at + INVISIBLE] = invisible
    state[at + GAP] = gap
    return count + 1


@njit
def emit(state: Any, out: Any, start: int, end: int, node: int) -> None:
    """Report a match of raw code points [start, end) at a node."""
    found = state[FOUND]
    out[found, 0] = start
    out[found, 1] = end
    out[found, 2] = node
    state[FOUND] = found + 1


@njit
def arrive(
    state: Any, base: int, count: int, slots: Any, out: Any, accept: Any, first: Any,
    node: int, start: int, group: int, end: int, sep: int,
) -> int:  # fmt: skip
    """A phrase has reached `node` with a letter that ends at `end`."""
    flags = accept[node]
    if flags & UNBOUNDED:
        emit(state, out, start, end, node)
    if flags & BOUNDED and sep > 0:  # a character that is a word of its own is its own boundary
        emit(state, out, start, end, node)
    elif flags & BOUNDED:
        capacity = state[CAPACITY]
        at = HEADER + 3 * capacity * FIELDS + state[PENDING] * PENDING_FIELDS
        state[at] = start
        state[at + 1] = end
        state[at + 2] = node
        state[PENDING] += 1
    if first[node] == first[node + 1]:
        return count
    return put(state, base, count, slots, node, start, sep, group, 0, 0)


@njit
def letter(
    state: Any, source: int, n_source: int, base: int, count: int, slots: Any, out: Any,
    first: Any, labels: Any, accept: Any, symbols: Any,
    entry: int, is_word: bool, begins: int, begin: int, end: int,
) -> int:  # fmt: skip
    """Every way on for one letter: from each thread, and from the root where a word `begins`."""
    after = 1 if is_word else 0
    for i in range(n_source):
        at = source + i * FIELDS
        node = state[at + NODE]
        start = state[at + START]
        sep = state[at + SEP]
        group = state[at + GROUP]
        if is_word and sep == 0:
            sep = 1
        if sep == 0 or sep == 1 or group == 1:
            inside = advance(first, labels, node, symbols, entry)
            if inside >= 0:
                run = group + 1 if sep == 0 else 1
                count = arrive(
                    state, base, count, slots, out, accept, first, inside, start, run, end, after
                )
        for boundary in (SOFT_BOUNDARY, HARD_BOUNDARY):
            if boundary == HARD_BOUNDARY and sep == 0:
                continue
            crossed = child(first, labels, node, boundary)
            if crossed >= 0:
                crossed = advance(first, labels, crossed, symbols, entry)
            if crossed >= 0:
                count = arrive(
                    state, base, count, slots, out, accept, first, crossed, start, 1, end, after
                )
    if begins or is_word:
        node = advance(first, labels, 0, symbols, entry)
        if node >= 0:
            count = arrive(
                state, base, count, slots, out, accept, first, node, begin, 1, end, after
            )
    return count


@njit
def has_boundary(first: Any, labels: Any, node: int) -> bool:
    """Whether a word of the phrase ends at the node: boundary symbols sort before all letters."""
    low = first[node]
    return low < first[node + 1] and labels[low] <= SOFT_BOUNDARY


@njit
def separate(
    state: Any, source: int, n_source: int, base: int, count: int, slots: Any, out: Any,
    first: Any, labels: Any, kind: int, end: int,
) -> int:  # fmt: skip
    """Threads live on through separators and invisible characters, within limits."""
    for i in range(n_source):
        at = source + i * FIELDS
        node = state[at + NODE]
        start = state[at + START]
        sep = state[at + SEP]
        invisible = state[at + INVISIBLE]
        gap = state[at + GAP] + 1
        if kind == IGNORED:
            invisible += 1
            if invisible > MAX_INVISIBLE:
                emit(state, out, start, end, node)
                continue
        else:
            sep = max(sep, 2 if kind == SPACE else 1)
            # Past a space only single letters go on inside a word: most threads end here.
            if sep == 2 and state[at + GROUP] > 1 and not has_boundary(first, labels, node):
                continue
        if gap > MAX_GAP:
            start = end
        count = put(state, base, count, slots, node, start, sep, state[at + GROUP], invisible, gap)
    return count


@njit
def step(
    state: Any, source: int, n_source: int, base: int, count: int, slots: Any, out: Any,
    first: Any, labels: Any, accept: Any, symbols: Any, alternatives: Any,
    entry: int, begins: int, begin: int, end: int,
) -> int:  # fmt: skip
    """All readings of one character: from the records at `source` to those at `base`."""
    readings = 1
    offset = 0
    if entry & 7 == ALTERNATIVES:
        readings = (entry >> 4) & 63
        offset = entry >> 10
    for r in range(readings):
        reading = entry
        if entry & 7 == ALTERNATIVES:
            reading = np.int64(alternatives[offset + r])
        kind = reading & 7
        if kind == LETTER or kind == WORD:
            count = letter(
                state, source, n_source, base, count, slots, out, first, labels, accept, symbols,
                reading, kind == WORD, begins, begin, end,
            )  # fmt: skip
        else:
            count = separate(
                state, source, n_source, base, count, slots, out, first, labels, kind, end
            )
    return count
