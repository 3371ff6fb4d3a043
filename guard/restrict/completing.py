"""Which tokens would complete a phrase: a walk of the vocabulary's trie beside the phrase tries.

Only the branches on which a phrase stays under way are walked, and only while enough letters are
left below them. Below a byte that completes a phrase every token is forbidden, so the result is a
few intervals of the vocabulary in byte order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from guard.restrict.compiled import njit
from guard.restrict.token_walk import LOST, MATCHED, ROOM, WAITING, point_step
from guard.restrict.utf8 import decode

# A frame of the walk's stack: where it is in the vocabulary and in the text.
EDGE, LAST, BASE, KEYS, WORD, NEED, VALUE, STATE, OPEN = range(9)
FRAME = 9
FULL = -1


@njit
def _span(out: Any, found: int, low: int, high: int) -> int:
    """Add an interval; neighbours become one. FULL when there is no room."""
    if low == high:
        return found
    if found > 0 and out[found - 1, 1] == low:
        out[found - 1, 1] = high
        return found
    if found == len(out):
        return FULL
    out[found, 0] = low
    out[found, 1] = high
    return found + 1


@njit
def _hopeless(
    keys: Any, base: int, count: int, reach: Any, roots: Any, n_roots: int, letters: int,
    letters_new: int,
) -> bool:  # fmt: skip
    """Whether `letters` bytes are too few for every phrase under way, and `letters_new` for those
    that may begin."""
    for i in range(base, base + count):
        if reach[keys[i] >> 3] <= letters:
            return False
    nearest = 256
    for r in range(n_roots):
        nearest = min(nearest, reach[roots[r]])
    return nearest > letters_new


@njit
def completing(
    keys: Any, n_keys: int, roots: Any, n_roots: int, word_start: int, need: int, value: int,
    code: Any, symbols: Any, alternatives: Any, first: Any, labels: Any, accept: Any, reach: Any,
    vocab_first: Any, vocab_labels: Any, low: Any, own: Any, high: Any, most: Any, most_new: Any,
    frames: Any, scratch: Any, out: Any,
) -> int:  # fmt: skip
    """Intervals of tokens after which, the text ending there, there is a match.

    `keys[:n_keys]` are the phrases under way; phrases may begin from `roots[:n_roots]` inside the
    token where a word does, `word_start` being that of the text. With a character under way
    (`need` > 0) only tokens that go on with it are looked at. Returns how many rows of `out`
    (int32 (n, 2)) are filled, or FULL.
    """
    found = 0
    for i in range(n_keys):
        scratch[i] = keys[i]
    depth = 0
    frame = frames[0]
    frame[EDGE], frame[LAST] = vocab_first[0], vocab_first[1]
    frame[BASE], frame[KEYS], frame[WORD] = 0, n_keys, word_start
    frame[NEED], frame[VALUE], frame[STATE] = need, value, 0
    frame[OPEN] = 1 if need > 0 else 0
    while depth >= 0:
        frame = frames[depth]
        edge = frame[EDGE]
        if edge == frame[LAST]:
            depth -= 1
            continue
        frame[EDGE] = edge + 1
        byte = vocab_labels[edge]
        if frame[OPEN] == 1 and byte & 0xC0 != 0x80:
            continue
        node = edge + 1
        new_need, new_value, broken, point = decode(frame[NEED], frame[VALUE], byte)
        base, count, word, state = frame[BASE], frame[KEYS], frame[WORD], frame[STATE]
        top = base + count
        for one in (broken, point):
            if one < 0:
                continue
            fresh, word, state = point_step(
                scratch, base, count, scratch, top, code, symbols, alternatives, first, labels,
                accept, roots, n_roots, word, state, one,
            )  # fmt: skip
            base, count = top, fresh
            top = base + count
        if state & (MATCHED | LOST):
            found = _span(out, found, low[node], high[node])
            if found == FULL:
                return FULL
            continue
        if state & WAITING:
            found = _span(out, found, low[node], own[node])
            if found == FULL:
                return FULL
        opened = 1 if frame[OPEN] == 1 and new_need > 0 else 0
        if vocab_first[node] == vocab_first[node + 1]:
            continue
        if count == 0 and n_roots == 0 and state & WAITING == 0:
            continue
        if (
            opened == 0
            and state & WAITING == 0
            and _hopeless(
                scratch, base, count, reach, roots, n_roots, most[node], most_new[node, word]
            )
        ):
            continue
        if top + 2 * ROOM > len(scratch):
            # Too deep a pile of forks to follow: what is below is forbidden, not let through.
            found = _span(out, found, low[node], high[node])
            if found == FULL:
                return FULL
            continue
        depth += 1
        below = frames[depth]
        below[EDGE], below[LAST] = vocab_first[node], vocab_first[node + 1]
        below[BASE], below[KEYS], below[WORD] = base, count, word
        below[NEED], below[VALUE], below[STATE] = new_need, new_value, state
        below[OPEN] = opened
    return found


@njit
def interval_size(spans: Any, n: int) -> int:
    """Tokens in the first n intervals."""
    total = 0
    for i in range(n):
        total += spans[i, 1] - spans[i, 0]
    return total


def new_scratch(longest: int) -> tuple[Any, Any]:
    """Frames and key scratch for tokens of at most `longest` bytes."""
    frames = np.zeros((longest + 2, FRAME), dtype=np.int64)
    return frames, np.zeros(64 * ROOM, dtype=np.int64)
