"""The compiled walk: code points of one text channel through the phrase trie.

A *thread* is one place where a forbidden phrase may be under way: the trie node reached, where the
phrase began, and what has been seen since its last letter. Threads begin at word starts only, so in
ordinary text none is alive most of the time. Rules, per letter:

- next to the last letter, the phrase goes on, with or without a soft word boundary (glued words);
- after a separator, it goes on at a word boundary of the phrase; inside a word only after soft
  punctuation ("Har-ry") or after a single letter ("H a r r y");
- an alternative reading (look-alike, leet) is one more way on;
- an escape (`&#72;`, `%48`, backslash-u0048) is also read decoded, from where it began.

No Python object is touched in here: this file is numba's, and its state is one int64 array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from guard.restrict.folding import ALTERNATIVES, IGNORED, LETTER, SOFT, SPACE, WORD
from guard.restrict.trie import BOUNDED, UNBOUNDED

F = TypeVar("F")
if TYPE_CHECKING:

    def njit(function: F) -> F: ...

else:
    import numba

    njit = numba.njit(cache=True)

# The symbols that stand for a word boundary inside a phrase.
SOFT_BOUNDARY = 0x20  # the two words may be glued in the text
HARD_BOUNDARY = 0x1F  # they may not: glued they are an ordinary word ("will power")

MAX_INVISIBLE = 16  # more invisible characters than this inside a live phrase are a disguise
MAX_GAP = 64  # after more separators than this, what came before is no longer held

# State: a header, then four regions of `capacity` records.
HEADER = 20
POS, THREADS, PENDING, WORD_START, ESC, ESC_START, ESC_VALUE, ESC_COUNT = range(8)
SNAPSHOT, SNAPSHOT_START, CAPACITY, FOUND, ESC_HIGH, ESC_MORE, LIVE = range(8, 15)
# A thread's fields.
NODE, START, SEP, GROUP, INVISIBLE, GAP = range(6)
FIELDS = 6
PENDING_FIELDS = 3  # start, end, node
GROWTH = 13  # the most records one thread can become in one step, with room to spare


def new_state(capacity: int = 96) -> Any:
    """State at the start of a text, for at most `capacity` thread records: int64 (n,)."""
    state = np.zeros(HEADER + capacity * (3 * FIELDS + PENDING_FIELDS), dtype=np.int64)
    state[CAPACITY] = capacity
    state[WORD_START] = 1
    return state


def restart(state: Any) -> None:
    """Take a state back to the start of a text; records need no clearing, their counts do."""
    capacity = state[CAPACITY]
    state[:HEADER] = 0
    state[CAPACITY] = capacity
    state[WORD_START] = 1


def grown(state: Any) -> Any:
    """The same state with twice the capacity."""
    old = int(state[CAPACITY])
    bigger = new_state(old * 2)
    bigger[:HEADER] = state[:HEADER]
    bigger[CAPACITY] = old * 2
    for region in range(4):
        size = old * (PENDING_FIELDS if region == 3 else FIELDS)
        source = HEADER + region * old * FIELDS
        target = HEADER + region * old * 2 * FIELDS
        bigger[target : target + size] = state[source : source + size]
    return bigger


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
def hex_value(point: int) -> int:
    """The value of a hexadecimal digit, or -1."""
    if 48 <= point <= 57:
        return point - 48
    if 97 <= point <= 102:
        return point - 87
    if 65 <= point <= 70:
        return point - 55
    return -1


# Escape machine states.
AMP, AMP_HASH, AMP_DEC, AMP_HEX, AMP_NAME = 1, 2, 3, 4, 5
PERCENT, PERCENT_2, PERCENT_MORE = 6, 7, 8
BACKSLASH, BACKSLASH_HEX, BACKSLASH_LOW, BACKSLASH_LOW_U = 9, 10, 11, 12


@njit
def begin_escape(state: Any, point: int, at: int) -> None:
    """Open an escape at raw position `at` and remember the threads as they stood before it."""
    if point == 38:
        state[ESC] = AMP
    elif point == 37:
        state[ESC] = PERCENT
    else:
        state[ESC] = BACKSLASH
    state[ESC_START] = at
    state[ESC_VALUE] = 0
    state[ESC_COUNT] = 0
    state[ESC_HIGH] = 0
    state[ESC_MORE] = 0
    state[SNAPSHOT] = state[THREADS]
    state[SNAPSHOT_START] = state[WORD_START]
    target = HEADER + 2 * state[CAPACITY] * FIELDS
    for i in range(state[THREADS] * FIELDS):
        state[target + i] = state[HEADER + i]


@njit
def entity_step(state: Any, point: int, names: Any, values: Any) -> int:
    """One more character of `&...;`: the decoded code point, -1 to go on, -2 when it is none."""
    esc = state[ESC]
    if esc == AMP and point == 35:
        state[ESC] = AMP_HASH
        return -1
    if esc == AMP_HASH and (point == 120 or point == 88):
        state[ESC] = AMP_HEX
        return -1
    if esc == AMP_HASH or esc == AMP_DEC:
        if 48 <= point <= 57 and state[ESC_COUNT] < 7:
            state[ESC] = AMP_DEC
            state[ESC_VALUE] = state[ESC_VALUE] * 10 + point - 48
            state[ESC_COUNT] += 1
            return -1
        return state[ESC_VALUE] if point == 59 and esc == AMP_DEC else -2
    if esc == AMP_HEX:
        digit = hex_value(point)
        if digit >= 0 and state[ESC_COUNT] < 6:
            state[ESC_VALUE] = state[ESC_VALUE] * 16 + digit
            state[ESC_COUNT] += 1
            return -1
        return state[ESC_VALUE] if point == 59 and state[ESC_COUNT] > 0 else -2
    alphanumeric = 48 <= point <= 57 or 65 <= point <= 90 or 97 <= point <= 122
    if alphanumeric and state[ESC_COUNT] < 8:
        state[ESC] = AMP_NAME
        state[ESC_VALUE] = (state[ESC_VALUE] << 8) | point
        state[ESC_COUNT] += 1
        return -1
    if point == 59 and esc == AMP_NAME:
        name = np.uint64(state[ESC_VALUE])
        at = np.searchsorted(names, name)
        if at < len(names) and names[at] == name:
            return np.int64(values[at])
    return -2


@njit
def percent_step(state: Any, point: int) -> int:
    """One more character of `%41` or of a UTF-8 sequence written so; returns as `entity_step`."""
    if state[ESC] == PERCENT_MORE:
        state[ESC] = PERCENT
        return -1 if point == 37 else -2
    digit = hex_value(point)
    if digit < 0:
        return -2
    if state[ESC] == PERCENT:
        state[ESC] = PERCENT_2
        state[ESC_VALUE] = digit
        return -1
    byte = state[ESC_VALUE] * 16 + digit
    if state[ESC_MORE] > 0:
        if byte & 0xC0 != 0x80:
            return -2
        state[ESC_HIGH] = (state[ESC_HIGH] << 6) | (byte & 0x3F)
        state[ESC_MORE] -= 1
        if state[ESC_MORE] == 0:
            return state[ESC_HIGH]
    elif byte < 0x80:
        return byte
    elif byte >= 0xF0:
        state[ESC_HIGH], state[ESC_MORE] = byte & 0x07, 3
    elif byte >= 0xE0:
        state[ESC_HIGH], state[ESC_MORE] = byte & 0x0F, 2
    elif byte >= 0xC0:
        state[ESC_HIGH], state[ESC_MORE] = byte & 0x1F, 1
    else:
        return -2
    state[ESC] = PERCENT_MORE
    return -1


@njit
def backslash_step(state: Any, point: int) -> int:
    """One more character of a JSON or C escape; returns as `entity_step`."""
    esc = state[ESC]
    if esc == BACKSLASH:
        if point == 117 or point == 120:  # u, x
            state[ESC] = BACKSLASH_HEX
            state[ESC_COUNT] = 4 if point == 117 else 2
            return -1
        if point == 110 or point == 116 or point == 114 or point == 102 or point == 98:  # ntrfb
            return 32
        return -2
    if esc == BACKSLASH_LOW or esc == BACKSLASH_LOW_U:
        wanted = 92 if esc == BACKSLASH_LOW else 117
        state[ESC] = BACKSLASH_LOW_U if esc == BACKSLASH_LOW else BACKSLASH_HEX
        state[ESC_COUNT] = 4
        state[ESC_VALUE] = 0
        return -1 if point == wanted else -2
    digit = hex_value(point)
    if digit < 0:
        return -2
    state[ESC_VALUE] = state[ESC_VALUE] * 16 + digit
    state[ESC_COUNT] -= 1
    if state[ESC_COUNT] > 0:
        return -1
    value = state[ESC_VALUE]
    if 0xD800 <= value < 0xDC00 and state[ESC_HIGH] == 0:
        state[ESC_HIGH] = value
        state[ESC] = BACKSLASH_LOW
        return -1
    if state[ESC_HIGH] and 0xDC00 <= value < 0xE000:
        return 0x10000 + ((state[ESC_HIGH] - 0xD800) << 10) + (value - 0xDC00)
    return value


@njit
def escape_step(state: Any, point: int, names: Any, values: Any) -> int:
    """Feed an open escape: the decoded code point, -1 to go on, -2 when it was none after all."""
    esc = state[ESC]
    if esc <= AMP_NAME:
        return entity_step(state, point, names, values)
    if esc <= PERCENT_MORE:
        return percent_step(state, point)
    return backslash_step(state, point)


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
