"""The compiled walk: code points of one text channel through the phrase trie.

A *thread* is one place where a forbidden phrase may be under way: the trie node reached, where the
phrase began, and what has been seen since its last letter. Threads begin at word starts only, so in
ordinary text none is alive most of the time. Rules, per letter:

- next to the last letter, the phrase goes on, with or without a soft word boundary (glued words);
- after a separator, it goes on at a word boundary of the phrase; inside a word only after soft
  punctuation ("Har-ry") or after a single letter ("H a r r y");
- an alternative reading (look-alike, leet) is one more way on;
- an escape (`&#72;`, `%48`, backslash-u0048) is also read decoded, from where it began.

No Python object is touched in here: this file is numba's; `state.py` has the layout of its state,
`escapes.py` the escapes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from guard.restrict.compiled import njit
from guard.restrict.escapes import begin_escape, escape_step
from guard.restrict.folding import ALTERNATIVES, IGNORED, LETTER, SOFT, SPACE, WORD
from guard.restrict.state import (
    CAPACITY,
    ESC,
    ESC_START,
    FIELDS,
    FOUND,
    GAP,
    GROUP,
    GROWTH,
    HEADER,
    INVISIBLE,
    LIVE,
    NODE,
    PENDING,
    PENDING_FIELDS,
    POS,
    SEP,
    SNAPSHOT,
    SNAPSHOT_START,
    START,
    THREADS,
    WORD_START,
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
    entry: int, is_word: bool, word_start: int, begin: int, end: int,
) -> int:  # fmt: skip
    """Every way on for one letter: from each thread, and from the root at a word start."""
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
    if word_start or is_word:
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
    entry: int, word_start: int, begin: int, end: int,
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
                reading, kind == WORD, word_start, begin, end,
            )  # fmt: skip
        else:
            count = separate(
                state, source, n_source, base, count, slots, out, first, labels, kind, end
            )
    return count


@njit
def confirm(state: Any, out: Any) -> None:
    """A word boundary: phrases that were waiting for one are matches."""
    base = HEADER + 3 * state[CAPACITY] * FIELDS
    for i in range(state[PENDING]):
        at = base + i * PENDING_FIELDS
        emit(state, out, state[at], state[at + 1], state[at + 2])
    state[PENDING] = 0


@njit
def settle_live(state: Any) -> None:
    """The earliest raw position that must be held: of a thread, a waiting phrase or an escape."""
    live = state[POS]
    capacity = state[CAPACITY]
    for i in range(state[THREADS]):
        live = min(live, state[HEADER + i * FIELDS + START])
    for i in range(state[PENDING]):
        live = min(live, state[HEADER + 3 * capacity * FIELDS + i * PENDING_FIELDS])
    if state[ESC] != 0:
        live = min(live, state[ESC_START])
        for i in range(state[SNAPSHOT]):
            live = min(live, state[HEADER + 2 * capacity * FIELDS + i * FIELDS + START])
    state[LIVE] = live


@njit
def only_inside(state: Any, first: Any, labels: Any) -> bool:
    """Whether each thread can only go on inside its word: then none of them can fork."""
    for i in range(state[THREADS]):
        at = HEADER + i * FIELDS
        if state[at + SEP] != 0 or has_boundary(first, labels, state[at + NODE]):
            return False
    return True


@njit
def go_on(
    state: Any, slots: Any, out: Any, first: Any, labels: Any, accept: Any, byte: int
) -> None:
    """The common step, in place: one letter of one byte, and threads that cannot fork."""
    at = state[POS]
    count = 0
    for i in range(state[THREADS]):
        thread = HEADER + i * FIELDS
        node = child(first, labels, state[thread + NODE], byte)
        if node >= 0:
            count = arrive(
                state, HEADER, count, slots, out, accept, first,
                node, state[thread + START], state[thread + GROUP] + 1, at + 1, 0,
            )  # fmt: skip
    if state[WORD_START] == 1:
        node = child(first, labels, 0, byte)
        if node >= 0:
            count = arrive(state, HEADER, count, slots, out, accept, first, node, at, 1, at + 1, 0)
    state[THREADS] = count
    state[WORD_START] = 0
    state[POS] = at + 1


@njit
def walk(
    points: Any, begin: int, code: Any, symbols: Any, alternatives: Any, names: Any, values: Any,
    first: Any, labels: Any, accept: Any, slots: Any, state: Any, out: Any,
) -> int:  # fmt: skip
    """Walk `points[begin:]`; returns how many points have been read.

    Stops early, for the caller to make room, when a step could outgrow `state` or `out`.
    """
    capacity = state[CAPACITY]
    following = HEADER + capacity * FIELDS
    snapshot = HEADER + 2 * capacity * FIELDS
    i = begin
    while i < len(points):
        need = (state[THREADS] + state[SNAPSHOT]) * GROWTH + GROWTH
        if need + state[PENDING] > capacity or state[FOUND] + need + state[PENDING] > len(out):
            break
        point = points[i]
        entry = np.int64(code[point]) if point < 0x110000 else np.int64(SOFT)
        kind = entry & 7
        at = state[POS]
        if kind == ALTERNATIVES:
            kind = np.int64(alternatives[entry >> 10]) & 7
        plain = state[ESC] == 0 and entry & 15 == kind
        if plain and kind == LETTER and (entry >> 4) & 63 == 1 and state[PENDING] == 0:
            if only_inside(state, first, labels):
                go_on(state, slots, out, first, labels, accept, entry >> 10)
                i += 1
                continue
        elif plain and (kind == SPACE or kind == SOFT):
            if state[PENDING] > 0:
                confirm(state, out)
            state[THREADS] = separate(
                state, HEADER, state[THREADS], HEADER, 0, slots, out, first, labels, kind, at + 1
            )
            state[WORD_START] = 1
            state[POS] = at + 1
            i += 1
            continue
        quiet = state[THREADS] == 0 and state[ESC] == 0
        if not quiet or state[WORD_START] == 1 or state[PENDING] > 0 or kind == WORD:
            decoded = np.int64(-2)
            opens = entry & 8
            if state[ESC] != 0:
                decoded = escape_step(state, point, names, values)
            if state[PENDING] > 0:
                if kind == LETTER:
                    state[PENDING] = 0
                elif kind != IGNORED:
                    confirm(state, out)
            if opens and decoded != -1:
                begin_escape(state, point, at)
            n_next = 0
            if state[THREADS] > 0 or state[WORD_START] == 1 or kind == WORD:
                n_next = step(
                    state, HEADER, state[THREADS], following, 0, slots, out, first, labels,
                    accept, symbols, alternatives, entry, state[WORD_START], at, at + 1,
                )  # fmt: skip
            if decoded >= 0:
                meant = np.int64(code[decoded]) if decoded < 0x110000 else np.int64(SOFT)
                n_next = step(
                    state, snapshot, state[SNAPSHOT], following, n_next, slots, out, first,
                    labels, accept, symbols, alternatives, meant, state[SNAPSHOT_START],
                    state[ESC_START], at + 1,
                )  # fmt: skip
            if decoded != -1 and not opens and state[ESC] != 0:
                state[ESC] = 0
                state[SNAPSHOT] = 0
            for k in range(n_next * FIELDS):
                state[HEADER + k] = state[following + k]
            state[THREADS] = n_next
        elif entry & 8:
            begin_escape(state, point, at)
        if kind == WORD or kind == SPACE or kind == SOFT:
            state[WORD_START] = 1
        elif kind == LETTER:
            state[WORD_START] = 0
        state[POS] = at + 1
        i += 1
    settle_live(state)
    return i


@njit
def finish(state: Any, out: Any) -> None:
    """The end of the text is a word boundary too."""
    confirm(state, out)
    state[THREADS] = 0
    state[ESC] = 0
    state[SNAPSHOT] = 0
    settle_live(state)
