"""The walk of `token_walk.py` as Triton code: scalar, one program a text, edges looked at together.

A program keeps the threads of its text in two rows of memory that it alone uses, `here` and
`there`; after each write it waits for its own lanes, so that all of them read what was written.
Everything is int32. The names of constants are those of the modules that they come from.
"""

from __future__ import annotations

import triton
import triton.language as tl

from guard.restrict import folding, threads, token_walk, trie, utf8
from guard.restrict import word_start as word_starts
from guard.restrict.device import layout

LOST = tl.constexpr(token_walk.LOST)
MATCHED = tl.constexpr(token_walk.MATCHED)
WAITING = tl.constexpr(token_walk.WAITING)
MAX_THREADS = tl.constexpr(token_walk.MAX_THREADS)
IGNORED = tl.constexpr(folding.IGNORED)
SPACE = tl.constexpr(folding.SPACE)
LETTER = tl.constexpr(folding.LETTER)
WORD = tl.constexpr(folding.WORD)
ALTERNATIVES = tl.constexpr(folding.ALTERNATIVES)
UPPER_BIT = tl.constexpr(folding.UPPER_BIT)
INSIDE = tl.constexpr(word_starts.INSIDE)
AT_WORD = tl.constexpr(word_starts.AT_WORD)
AFTER_LOWER = tl.constexpr(word_starts.AFTER_LOWER)
NINE = tl.constexpr(word_starts.NINE)
BOUNDED = tl.constexpr(trie.BOUNDED)
UNBOUNDED = tl.constexpr(trie.UNBOUNDED)
BROKEN = tl.constexpr(utf8.BROKEN)
SOFT_BOUNDARY = tl.constexpr(threads.SOFT_BOUNDARY)
HARD_BOUNDARY = tl.constexpr(threads.HARD_BOUNDARY)
KEYS = tl.constexpr(layout.KEYS)
COUNT = tl.constexpr(layout.COUNT)
WORD_START = tl.constexpr(layout.WORD_START)
NEED = tl.constexpr(layout.NEED)
VALUE = tl.constexpr(layout.VALUE)
FLAGS = tl.constexpr(layout.FLAGS)
EDGES = tl.constexpr(256)  # of one node, at most


@triton.jit
def child(first, labels, node, byte):  # type: ignore[no-untyped-def]
    """The node behind the edge labelled `byte`, or -1."""
    low = tl.load(first + node)
    high = tl.load(first + node + 1)
    at = low + tl.arange(0, EDGES)
    label = tl.load(labels + at, mask=at < high, other=0).to(tl.int32)
    return tl.max(tl.where((at < high) & (label == byte), at + 1, -1), axis=0)


@triton.jit
def children(first, labels, node, byte):  # type: ignore[no-untyped-def]
    """The nodes behind `byte`, a soft and a hard boundary, read at once; -1 where there is none."""
    low = tl.load(first + node)
    high = tl.load(first + node + 1)
    at = low + tl.arange(0, EDGES)
    label = tl.load(labels + at, mask=at < high, other=0).to(tl.int32)
    real = at < high
    inside = tl.max(tl.where(real & (label == byte), at + 1, -1), axis=0)
    soft = tl.max(tl.where(real & (label == SOFT_BOUNDARY), at + 1, -1), axis=0)
    hard = tl.max(tl.where(real & (label == HARD_BOUNDARY), at + 1, -1), axis=0)
    return inside, soft, hard


@triton.jit
def advance(first, labels, symbols, node, offset, begin, length):  # type: ignore[no-untyped-def]
    """The node after the bytes begin:length of a symbol, or -1."""
    i = begin
    while (i < length) & (node >= 0):
        byte = tl.load(symbols + offset + i).to(tl.int32)
        node = child(first, labels, node, byte)
        i += 1
    return node


@triton.jit
def put(row, count, key):  # type: ignore[no-untyped-def]
    """Add a key unless it is there; one more than MAX_THREADS says that there are too many."""
    lane = tl.arange(0, MAX_THREADS)
    present = tl.load(row + KEYS + lane, mask=lane < count, other=-1)
    fresh = tl.max(tl.where(present == key, 1, 0), axis=0) == 0
    tl.store(row + KEYS + count, key, mask=fresh & (count < MAX_THREADS))
    tl.debug_barrier()
    return tl.minimum(count + fresh.to(tl.int32), MAX_THREADS + 1)


@triton.jit
def arrive(first, accept, row, count, came, node, single, after):  # type: ignore[no-untyped-def]
    """A phrase has reached `node` (or, at -1, nothing has): (threads, what came of it all)."""
    if node >= 0:
        flags = tl.load(accept + node).to(tl.int32)
        matched = ((flags & UNBOUNDED) != 0) | (((flags & BOUNDED) != 0) & (after > 0))
        waiting = ((flags & BOUNDED) != 0) & (~matched)
        came = came | tl.where(matched, MATCHED, 0) | tl.where(waiting, WAITING, 0)
        if tl.load(first + node) != tl.load(first + node + 1):
            count = put(row, count, (node << 3) | (after << 1) | single)
    return count, came


@triton.jit
def letter(  # type: ignore[no-untyped-def]
    first, labels, accept, symbols, roots, n_roots, here, n_here, there, count, came, entry,
    is_word, begins,
):  # fmt: skip
    """Every way on for one letter: (threads, what came of it all)."""
    length = (entry >> 4) & 63
    offset = entry >> 10
    byte = tl.load(symbols + offset).to(tl.int32)
    i = n_here * 0
    while i < n_here:
        key = tl.load(here + KEYS + i)
        node = key >> 3
        apart = (key >> 1) & 3
        apart = tl.where((is_word != 0) & (apart == 0), 1, apart)
        inside, soft, hard = children(first, labels, node, byte)
        inside = tl.where((apart != 2) | ((key & 1) == 1), inside, -1)
        hard = tl.where(apart == 0, -1, hard)
        inside = advance(first, labels, symbols, inside, offset, 1, length)
        single = tl.where(apart == 0, 0, 1)
        count, came = arrive(first, accept, there, count, came, inside, single, is_word)
        soft = advance(first, labels, symbols, soft, offset, 0, length)
        count, came = arrive(first, accept, there, count, came, soft, 1, is_word)
        hard = advance(first, labels, symbols, hard, offset, 0, length)
        count, came = arrive(first, accept, there, count, came, hard, 1, is_word)
        i += 1
    i = tl.where((begins != 0) | (is_word != 0), 0, n_roots)
    while i < n_roots:
        node = advance(first, labels, symbols, tl.load(roots + i), offset, 0, length)
        count, came = arrive(first, accept, there, count, came, node, 1, is_word)
        i += 1
    return count, came


@triton.jit
def separate(first, labels, here, n_here, there, count, kind):  # type: ignore[no-untyped-def]
    """Threads live on through separators and invisible characters."""
    i = n_here * 0
    while i < n_here:
        key = tl.load(here + KEYS + i)
        node = key >> 3
        single = key & 1
        apart = tl.maximum((key >> 1) & 3, tl.where(kind == SPACE, 2, 1))
        low = tl.load(first + node)
        more = low < tl.load(first + node + 1)
        bounded = more & (tl.load(labels + low).to(tl.int32) <= SOFT_BOUNDARY)
        kept = (kind == IGNORED) | (apart != 2) | (single == 1) | bounded
        if kept:
            moved = (node << 3) | (apart << 1) | single
            count = put(there, count, tl.where(kind == IGNORED, key, moved))
        i += 1
    return count


@triton.jit
def point_step(  # type: ignore[no-untyped-def]
    first, labels, accept, code, symbols, alternatives, roots, n_roots, here, there, count,
    word_start, flags, point,
):  # fmt: skip
    """One code point: (threads, word start, flags); the threads are in `here` again."""
    entry = tl.load(code + point)
    forked = (entry & 7) == ALTERNATIVES
    offset = tl.where(forked, entry >> 10, 0)
    readings = tl.where(forked, (entry >> 4) & 63, 1)
    faithful = tl.where(forked, tl.load(alternatives + offset), entry)
    kind = faithful & 7
    begins = word_start & (AT_WORD | ((entry & UPPER_BIT) >> 2))
    ended = (kind != IGNORED) & ((kind != LETTER) | (begins != 0))
    waits = (flags & WAITING) != 0
    came = flags & (MATCHED | LOST)
    came = came | tl.where(waits & (kind == IGNORED), WAITING, 0)
    came = came | tl.where(waits & ended, MATCHED, 0)
    fresh = count * 0
    begun = (count > 0) | (begins != 0) | (kind == WORD)
    r = tl.where(begun, 0, readings)
    while r < readings:
        reading = tl.where(forked, tl.load(alternatives + offset + r, mask=forked, other=0), entry)
        of = reading & 7
        if (of == LETTER) | (of == WORD):
            fresh, came = letter(
                first, labels, accept, symbols, roots, n_roots, here, count, there, fresh, came,
                reading, (of == WORD).to(tl.int32), begins,
            )  # fmt: skip
        else:
            fresh = separate(first, labels, here, count, there, fresh, of)
        r += 1
    full = fresh > MAX_THREADS
    came = came | tl.where(full, LOST, 0)
    fresh = tl.where(full, 0, fresh)
    lane = tl.arange(0, MAX_THREADS)
    keys = tl.load(there + KEYS + lane, mask=lane < fresh, other=0)
    tl.debug_barrier()
    tl.store(here + KEYS + lane, keys, mask=lane < fresh)
    tl.debug_barrier()
    lower = ((entry & UPPER_BIT) == 0) & ((faithful >> 10) > NINE)
    after = tl.where(kind == LETTER, tl.where(lower, AFTER_LOWER, INSIDE), AT_WORD)
    after = tl.where((kind == IGNORED) | full, word_start, after)
    return fresh, after, came


@triton.jit
def decode(need, value, byte):  # type: ignore[no-untyped-def]
    """`utf8.decode`: (need, value, broken, point)."""
    missing = need & 7
    goes_on = (missing > 0) & ((byte & 0xC0) == 0x80)
    inside = goes_on & (missing > 1)
    longer = (value << 6) | (byte & 0x3F)
    length = need >> 3
    lowest = tl.where(length == 2, 0x80, tl.where(length == 3, 0x800, 0x10000))
    bad = (longer < lowest) | (longer > 0x10FFFF) | ((longer >= 0xD800) & (longer < 0xE000))
    ended = tl.where(bad, BROKEN, longer)
    two = (byte >= 0xC2) & (byte < 0xE0)
    three = (byte >= 0xE0) & (byte < 0xF0)
    four = (byte >= 0xF0) & (byte < 0xF5)
    fresh_need = tl.where(two, 17, tl.where(three, 26, tl.where(four, 35, 0)))
    fresh_value = tl.where(two, byte & 0x1F, tl.where(three, byte & 0x0F, 0))
    fresh_value = tl.where(four, byte & 0x07, fresh_value)
    fresh_point = tl.where(byte < 0x80, byte, tl.where(two | three | four, -1, BROKEN))
    broken = tl.where((missing > 0) & (~goes_on), BROKEN, -1)
    need = tl.where(goes_on, tl.where(inside, need - 1, 0), fresh_need)
    value = tl.where(goes_on, tl.where(inside, longer, 0), fresh_value)
    return need, value, broken, tl.where(goes_on, tl.where(inside, -1, ended), fresh_point)


@triton.jit
def take(  # type: ignore[no-untyped-def]
    first, labels, accept, code, symbols, alternatives, text, starts, special, n_tokens, roots,
    n_roots, here, there, count, word_start, need, value, flags, token,
):  # fmt: skip
    """One token: (threads, word start, need, value, flags)."""
    known = (token >= 0) & (token < n_tokens)
    flags = flags | tl.where(known, 0, LOST)
    safe = tl.where(known, token, 0)
    is_special = tl.load(special + safe).to(tl.int32) != 0
    word_start = tl.where(known & is_special, AT_WORD, word_start)
    end = tl.load(starts + safe + 1)
    at = tl.where(known & (~is_special), tl.load(starts + safe), end)
    while at < end:
        byte = tl.load(text + at).to(tl.int32)
        need, value, broken, point = decode(need, value, byte)
        which = count * 0
        while which < 2:
            one = tl.where(which == 0, broken, point)
            if one >= 0:
                count, word_start, flags = point_step(
                    first, labels, accept, code, symbols, alternatives, roots, n_roots, here,
                    there, count, word_start, flags, one,
                )  # fmt: skip
            which += 1
        at += 1
    return count, word_start, need, value, flags


@triton.jit
def load_place(row):  # type: ignore[no-untyped-def]
    """(threads, word start, need, value, flags) of a place."""
    return (
        tl.load(row + COUNT),
        tl.load(row + WORD_START),
        tl.load(row + NEED),
        tl.load(row + VALUE),
        tl.load(row + FLAGS),
    )


@triton.jit
def copy_keys(source, target, count):  # type: ignore[no-untyped-def]
    """The threads of one place to another."""
    lane = tl.arange(0, MAX_THREADS)
    keys = tl.load(source + KEYS + lane, mask=lane < count, other=0)
    tl.store(target + KEYS + lane, keys, mask=lane < count)
    tl.debug_barrier()
