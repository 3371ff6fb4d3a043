"""The compiled step of a batch: for every row, the intervals of tokens that it may not take."""

from __future__ import annotations

from typing import Any

import numpy as np

from guard.restrict.compiled import njit
from guard.restrict.completing import FULL, completing
from guard.restrict.memory import find, memory_key
from guard.restrict.token_walk import (
    COUNT,
    LOST,
    NEED,
    PLACE,
    STATE,
    VALUE,
    WORD_START,
    make_key,
    point_step,
)
from guard.restrict.utf8 import BROKEN

# What a call asks of its caller.
DONE = 0
NO_ROOM = 1  # `spans` is full
NO_MEMORY = 2  # the memory is full: forget, and ask again

# The key that a trie's root is remembered by, for phrases that begin inside the token: the word
# start more than this.
_ROOT = 6


@njit
def remembered(
    key: int, is_root: bool, word_start: int,
    mem_keys: Any, mem_place: Any, mem_size: Any, pool: Any, used: Any,
    code: Any, symbols: Any, alternatives: Any, first: Any, labels: Any, accept: Any, reach: Any,
    shape: Any, vocab_first: Any, vocab_labels: Any, low: Any, own: Any, high: Any, most: Any,
    most_new: Any, frames: Any, scratch: Any, one: Any,
) -> Any:  # fmt: skip
    """The slot that holds the intervals of one thread or root; FULL when there is no room."""
    node = key >> 3
    variant = key & 7
    if is_root:
        variant = _ROOT + word_start
    name = memory_key(shape[node], variant)
    slot = find(mem_keys, name)
    if slot >= 0:
        return slot
    slot = -1 - slot
    if used[0] * 2 >= len(mem_keys):
        return FULL
    out = pool[used[1] :]
    one[0] = node if is_root else key
    found = completing(
        one, 0 if is_root else 1, one, 1 if is_root else 0, word_start if is_root else 0, 0, 0,
        code, symbols, alternatives, first, labels, accept, reach, vocab_first, vocab_labels,
        low, own, high, most, most_new, frames, scratch, out,
    )  # fmt: skip
    if found == FULL:
        return FULL
    mem_keys[slot] = name
    mem_place[slot] = used[1]
    mem_size[slot] = found
    used[0] += 1
    used[1] += found
    return slot


@njit
def restrict_rows(
    places: Any, rows: Any, roots: Any, root_counts: Any, spans: Any, counts: Any, farthest: int,
    entry: Any, table_place: Any, table_pool: Any,
    mem_keys: Any, mem_place: Any, mem_size: Any, pool: Any, used: Any,
    code: Any, symbols: Any, alternatives: Any, first: Any, labels: Any, accept: Any, reach: Any,
    shape: Any, vocab_first: Any, vocab_labels: Any, low: Any, own: Any, high: Any, most: Any,
    most_new: Any, frames: Any, scratch: Any, one: Any, other: Any,
) -> int:  # fmt: skip
    """For rows[i], write its intervals after those of rows before it; counts[i] is their number,
    -1 for a row that is lost. `farthest`: letters of the longest token. `entry`, `table_place` and
    `table_pool` are those of `Completions`; what they do not cover is found and remembered."""
    found = 0
    for i in range(len(rows)):
        row = rows[i]
        place = places[row]
        counts[i] = 0
        if place[STATE] & LOST:
            counts[i] = -1
            continue
        before = found
        n_keys = place[COUNT]
        n_roots = root_counts[row]
        word_start = place[WORD_START]
        source = place[PLACE:]
        if place[NEED] > 0:
            # Inside a character: tokens that go on with it, and, as after a broken one, the rest.
            more = completing(
                source, n_keys, roots[row], n_roots, word_start, place[NEED], place[VALUE],
                code, symbols, alternatives, first, labels, accept, reach, vocab_first,
                vocab_labels, low, own, high, most, most_new, frames, scratch, spans[found:],
            )  # fmt: skip
            if more == FULL:
                return NO_ROOM
            found += more
            n_keys, word_start, _ = point_step(
                source, 0, n_keys, other, 0, code, symbols, alternatives, first, labels, accept,
                roots[row], n_roots, word_start, 0, BROKEN,
            )  # fmt: skip
            source = other
        for k in range(n_keys + n_roots):
            is_root = k >= n_keys
            key = make_key(roots[row][k - n_keys], 0, 0) if is_root else source[k]
            node = key >> 3
            if reach[node] > farthest:
                continue
            row_of_table = entry[node] - 2  # see Completions
            if row_of_table == -1:
                continue
            if row_of_table >= 0:
                variant = key & 7
                if is_root:
                    variant = word_start
                start = int(table_place[row_of_table, variant, 0])
                size = int(table_place[row_of_table, variant, 1])
                if found + size > len(spans):
                    return NO_ROOM
                for s in range(size):
                    spans[found + s, 0] = table_pool[start + s, 0]
                    spans[found + s, 1] = table_pool[start + s, 1]
                found += size
                continue
            slot = remembered(
                key, is_root, word_start, mem_keys, mem_place, mem_size, pool, used, code, symbols,
                alternatives, first, labels, accept, reach, shape, vocab_first, vocab_labels, low,
                own, high, most, most_new, frames, scratch, one,
            )  # fmt: skip
            if slot == FULL:
                return NO_MEMORY
            size = int(mem_size[slot])
            if found + size > len(spans):
                return NO_ROOM
            start = int(mem_place[slot])
            for s in range(size):
                spans[found + s, 0] = pool[start + s, 0]
                spans[found + s, 1] = pool[start + s, 1]
            found += size
        counts[i] = found - before
    return DONE


@njit
def ban_rows(
    logits: Any, width: int, lines: Any, spans: Any, counts: Any, order: Any, end: int
) -> None:
    """Set the logits of forbidden tokens to -inf, in place.

    `logits`: float32 (n, at least `width`), of which `width` are the vocabulary's; lines[i] is the
    row of logits of counts[i]. A row that is lost, or that no token is left to, may only end: `end`
    is the end-of-sequence token.
    """
    lowest = -np.inf
    at = 0
    for i in range(len(lines)):
        row = logits[lines[i]]
        lost = counts[i] < 0
        for s in range(at, at + counts[i]):
            for t in range(spans[s, 0], spans[s, 1]):
                if order[t] < width:
                    row[order[t]] = lowest
        at += max(0, counts[i])
        if counts[i] > 0:
            lost = True
            for t in range(width):
                if row[t] > lowest:
                    lost = False
                    break
        if lost:
            for t in range(width):
                row[t] = lowest
            row[end] = 0.0
