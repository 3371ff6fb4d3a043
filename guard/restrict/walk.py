"""The compiled walk: code points of one text channel through the phrase trie.

A *thread* is one place where a forbidden phrase may be under way: the trie node reached, where the
phrase began, and what has been seen since its last letter. Threads begin at word starts only
(`word_start.py`), so in ordinary text none is alive most of the time. Rules, per letter:

- next to the last letter, the phrase goes on, with or without a soft word boundary (glued words);
- after a separator, it goes on at a word boundary of the phrase; inside a word only after soft
  punctuation ("Har-ry") or after a single letter ("H a r r y");
- an alternative reading (look-alike, leet) is one more way on;
- an escape (`&#72;`, `%48`, `=48`, backslash-u0048) is also read decoded, from where it began.

No Python object is touched in here: this file is numba's; `threads.py` has the threads, `state.py`
the layout of the state, `escapes.py` the escapes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from guard.restrict.compiled import njit
from guard.restrict.escapes import SO_FAR, begin_escape, escape_step, goes_on
from guard.restrict.folding import ALTERNATIVES, ESCAPE_BIT, IGNORED, LETTER, SOFT, SPACE, WORD
from guard.restrict.markup import opens_escape, stands_alone
from guard.restrict.state import (
    BEGUN,
    CAPACITY,
    ESC,
    ESC_START,
    FIELDS,
    FOUND,
    GROUP,
    GROWTH,
    HEADER,
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
from guard.restrict.threads import arrive, child, emit, has_boundary, put, separate, step
from guard.restrict.word_start import AT_WORD, after_letter, after_point, begins_word

BREAK = 0x110000  # no code point: between pieces of decoded text, where no phrase goes on


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
    """The earliest raw position that must be held, LIVE: of a thread, a waiting phrase or an
    escape. BEGUN, that of anything under way, is the same here."""
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
    state[LIVE] = state[BEGUN] = live


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
    state: Any, slots: Any, out: Any, first: Any, labels: Any, accept: Any, entry: int
) -> None:
    """The common step, in place: one letter of one byte, and threads that cannot fork."""
    at = state[POS]
    byte = entry >> 10
    count = 0
    for i in range(state[THREADS]):
        thread = HEADER + i * FIELDS
        node = child(first, labels, state[thread + NODE], byte)
        if node >= 0:
            count = arrive(
                state, HEADER, count, slots, out, accept, first,
                node, state[thread + START], state[thread + GROUP] + 1, at + 1, 0,
            )  # fmt: skip
    if begins_word(state[WORD_START], entry):
        node = child(first, labels, 0, byte)
        if node >= 0:
            count = arrive(state, HEADER, count, slots, out, accept, first, node, at, 1, at + 1, 0)
    state[THREADS] = count
    state[WORD_START] = after_letter(entry, entry)
    state[POS] = at + 1


@njit
def idle(
    points: Any, begin: int, code: Any, alternatives: Any, first: Any, labels: Any, accept: Any,
    slots: Any, state: Any,
) -> int:  # fmt: skip
    """Read on while at most one phrase is under way, and that inside its first word; returns how
    many points are read. The thread is kept here, and put where `walk` finds it in the end."""
    word_start = state[WORD_START]
    node = np.int64(0)  # of the one thread; 0 for none
    start = begin
    i = begin
    while i < len(points):
        point = points[i]
        if point >= BREAK:
            break
        entry = np.int64(code[point])
        faithful = entry
        begins = begins_word(word_start, entry)
        if entry & 7 == ALTERNATIVES and node == 0 and not begins:
            faithful = np.int64(alternatives[entry >> 10])
        kind = faithful & 7
        if kind == LETTER:
            if begins or node > 0:
                if (begins and node > 0) or (entry >> 4) & 63 != 1:
                    break
                if node > 0 and has_boundary(first, labels, node):
                    break
                following = child(first, labels, node, entry >> 10)
                if following >= 0 and accept[following] != 0:
                    break
                if node == 0:
                    start = i
                node = max(following, 0)
            word_start = after_letter(entry, faithful)
        elif entry & ESCAPE_BIT != 0 and (node > 0 or stands_alone(point)):
            break
        elif kind == SPACE or (kind == SOFT and node == 0):
            if node > 0 and (i == start + 1 or has_boundary(first, labels, node)):
                break
            node = np.int64(0)
            word_start = np.int64(AT_WORD)
        else:
            break
        i += 1
    if node > 0:
        put(state, HEADER, 0, slots, node, state[POS] + start - begin, 0, i - start, 0, 0)
        state[THREADS] = 1
    state[WORD_START] = word_start
    state[POS] += i - begin
    return i


@njit
def forget(state: Any, out: Any) -> None:
    """Nothing goes on from here: a word boundary, and no thread after it."""
    confirm(state, out)
    state[THREADS] = 0
    state[ESC] = 0
    state[SNAPSHOT] = 0
    state[WORD_START] = AT_WORD


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
        if state[THREADS] == 0 and state[ESC] == 0 and state[PENDING] == 0:
            i = idle(points, i, code, alternatives, first, labels, accept, slots, state)
            if i == len(points):
                break
        need = (state[THREADS] + state[SNAPSHOT]) * GROWTH + GROWTH
        if need + state[PENDING] > capacity or state[FOUND] + need + state[PENDING] > len(out):
            break
        point = points[i]
        if point >= BREAK:
            forget(state, out)
            state[POS] += 1
            i += 1
            continue
        entry = np.int64(code[point])
        kind = entry & 7
        at = state[POS]
        if kind == ALTERNATIVES:
            kind = np.int64(alternatives[entry >> 10]) & 7
        plain = state[ESC] == 0 and entry & 7 == kind
        if plain and kind == LETTER and (entry >> 4) & 63 == 1 and state[PENDING] == 0:
            if only_inside(state, first, labels):
                go_on(state, slots, out, first, labels, accept, entry)
                i += 1
                continue
        elif plain and (kind == SPACE or kind == SOFT) and entry & ESCAPE_BIT == 0:
            if state[PENDING] > 0:
                confirm(state, out)
            state[THREADS] = separate(
                state, HEADER, state[THREADS], HEADER, 0, slots, out, first, labels, kind, at + 1
            )
            state[WORD_START] = AT_WORD
            state[POS] = at + 1
            i += 1
            continue
        quiet = state[THREADS] == 0 and state[ESC] == 0
        opens = (kind == SPACE or kind == SOFT) and entry & ESCAPE_BIT != 0
        opens = opens and opens_escape(state, point)
        begins = begins_word(state[WORD_START], entry)
        after = after_point(state[WORD_START], entry, alternatives)
        if not quiet or begins or state[PENDING] > 0 or kind == WORD:
            decoded = np.int64(-2)
            may_go_on = False
            if state[ESC] != 0:
                decoded = escape_step(state, point, names, values)
                if decoded <= SO_FAR:
                    may_go_on = True
                    decoded = SO_FAR - decoded
            if state[PENDING] > 0:
                if kind == LETTER and not begins:
                    state[PENDING] = 0
                elif kind != IGNORED:
                    confirm(state, out)
            opens = opens and decoded == -2  # what ends an escape begins none
            if opens:
                begin_escape(state, point, at)
            n_next = 0
            if state[THREADS] > 0 or begins or kind == WORD:
                n_next = step(
                    state, HEADER, state[THREADS], following, 0, slots, out, first, labels,
                    accept, symbols, alternatives, entry, begins, at, at + 1,
                )  # fmt: skip
            if decoded >= 0:
                meant = np.int64(code[decoded]) if decoded < 0x110000 else np.int64(SOFT)
                before = state[SNAPSHOT_START]
                after |= after_point(before, meant, alternatives)
                n_next = step(
                    state, snapshot, state[SNAPSHOT], following, n_next, slots, out, first,
                    labels, accept, symbols, alternatives, meant, begins_word(before, meant),
                    state[ESC_START], at + 1,
                )  # fmt: skip
            ended = decoded != -1 and not (opens or may_go_on) and state[ESC] != 0
            if ended and not goes_on(state, decoded):
                state[ESC] = 0
                state[SNAPSHOT] = 0
            for k in range(n_next * FIELDS):
                state[HEADER + k] = state[following + k]
            state[THREADS] = n_next
        elif opens:
            begin_escape(state, point, at)
        state[WORD_START] = after
        state[POS] = at + 1
        i += 1
    settle_live(state)
    return i


@njit
def finish(state: Any, out: Any) -> None:
    """The end of the text is a word boundary too."""
    forget(state, out)
    state[LIVE] = state[BEGUN] = state[POS]
