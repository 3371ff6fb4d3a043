"""The token side of the walk: bytes of tokens through the phrase tries.

The same rules as `walk.py`, over the same tries, for a question that needs less: not where a match
is, but whether one would be. A thread is then a single number, its *key*: the node reached, what
stands between it and the next letter, and whether its last word was a single letter. Whatever has
the same key goes on the same way, so what would complete a phrase can be remembered by key.

Escapes and floods of invisible characters are decodings of a text that is already there: the output
filter reads those. Everything else that `walk.py` sees, this sees.
"""

from __future__ import annotations

from typing import Any

from guard.restrict.compiled import njit
from guard.restrict.folding import ALTERNATIVES, IGNORED, LETTER, SOFT, SPACE, WORD
from guard.restrict.threads import HARD_BOUNDARY, SOFT_BOUNDARY, advance, child, has_boundary
from guard.restrict.trie import BOUNDED, UNBOUNDED
from guard.restrict.utf8 import decode
from guard.restrict.word_start import AT_WORD, after_point, begins_word

# What became of a step, besides its threads.
MATCHED = 1  # a phrase is complete
WAITING = 2  # one is, if a word ends here
LOST = 4  # more threads than there is room for

# A place in a text: a few numbers before its threads' keys.
COUNT, WORD_START, NEED, VALUE, STATE, TAKEN = range(6)
PLACE = 6
MAX_THREADS = 128
PLACE_WIDTH = PLACE + MAX_THREADS
ROOM = 16 * MAX_THREADS  # keys that one step can make of so many threads, before it is too many

MAX_ROOTS = 8  # tries that one row walks at once


@njit
def make_key(node: int, sep: int, single: int) -> int:
    """node, separator kind since its last letter (0 none, 1 soft, 2 space), single-letter word."""
    return (node << 3) | (sep << 1) | single


@njit
def _put(buffer: Any, base: int, count: int, key: int) -> int:
    for i in range(base, base + count):
        if buffer[i] == key:
            return count
    buffer[base + count] = key
    return count + 1


@njit
def _arrive(
    buffer: Any, base: int, count: int, first: Any, accept: Any, node: int, single: int, after: int
) -> tuple[int, int]:
    """A phrase has reached `node` with a letter: (threads, what came of it)."""
    flags = accept[node]
    state = 0
    if flags & UNBOUNDED or (flags & BOUNDED and after > 0):
        state = MATCHED
    elif flags & BOUNDED:
        state = WAITING
    if first[node] != first[node + 1]:
        count = _put(buffer, base, count, make_key(node, after, single))
    return count, state


@njit
def _letter(
    source: Any, at: int, n_source: int, buffer: Any, base: int, count: int,
    first: Any, labels: Any, accept: Any, symbols: Any, roots: Any, n_roots: int,
    entry: int, is_word: bool, begins: int,
) -> tuple[int, int]:  # fmt: skip
    """Every way on for one letter, as `walk.letter` has them."""
    after = 1 if is_word else 0
    state = 0
    for i in range(at, at + n_source):
        key = source[i]
        node = key >> 3
        sep = (key >> 1) & 3
        if is_word and sep == 0:
            sep = 1
        if sep != 2 or key & 1 == 1:
            inside = advance(first, labels, node, symbols, entry)
            if inside >= 0:
                single = 0 if sep == 0 else 1
                count, came = _arrive(buffer, base, count, first, accept, inside, single, after)
                state |= came
        for boundary in (SOFT_BOUNDARY, HARD_BOUNDARY):
            if boundary == HARD_BOUNDARY and sep == 0:
                continue
            crossed = child(first, labels, node, boundary)
            if crossed >= 0:
                crossed = advance(first, labels, crossed, symbols, entry)
            if crossed >= 0:
                count, came = _arrive(buffer, base, count, first, accept, crossed, 1, after)
                state |= came
    if begins or is_word:
        for r in range(n_roots):
            node = advance(first, labels, roots[r], symbols, entry)
            if node >= 0:
                count, came = _arrive(buffer, base, count, first, accept, node, 1, after)
                state |= came
    return count, state


@njit
def _separate(
    source: Any, at: int, n_source: int, buffer: Any, base: int, count: int,
    first: Any, labels: Any, kind: int,
) -> int:  # fmt: skip
    """Threads live on through separators and invisible characters, as in `walk.separate`."""
    for i in range(at, at + n_source):
        key = source[i]
        if kind != IGNORED:
            node = key >> 3
            single = key & 1
            sep = max((key >> 1) & 3, 2 if kind == SPACE else 1)
            if sep == 2 and single == 0 and not has_boundary(first, labels, node):
                continue
            key = make_key(node, sep, single)
        count = _put(buffer, base, count, key)
    return count


@njit
def point_step(
    source: Any, at: int, n_source: int, buffer: Any, base: int,
    code: Any, symbols: Any, alternatives: Any, first: Any, labels: Any, accept: Any,
    roots: Any, n_roots: int, word_start: int, state: int, point: int,
) -> tuple[int, int, int]:  # fmt: skip
    """One code point: threads at source[at:] to buffer[base:].

    Returns (threads, word start, state); `state` that comes in says whether a phrase was waiting
    for a word boundary. `buffer` must have ROOM for keys from `base` on.
    """
    entry = int(code[point]) if point < 0x110000 else SOFT
    kind = entry & 7
    readings = 1
    offset = 0
    if kind == ALTERNATIVES:
        readings = (entry >> 4) & 63
        offset = entry >> 10
        kind = int(alternatives[offset]) & 7
    begins = begins_word(word_start, entry)
    result = state & (MATCHED | LOST)
    if state & WAITING:
        if kind == IGNORED:
            result |= WAITING
        elif kind != LETTER or begins:
            result |= MATCHED
    count = 0
    if n_source > 0 or begins or kind == WORD:
        for r in range(readings):
            reading = entry
            if readings > 1 or entry & 7 == ALTERNATIVES:
                reading = int(alternatives[offset + r])
            of = reading & 7
            if of in (LETTER, WORD):
                count, came = _letter(
                    source, at, n_source, buffer, base, count, first, labels, accept, symbols,
                    roots, n_roots, reading, of == WORD, begins,
                )  # fmt: skip
                result |= came
            else:
                count = _separate(source, at, n_source, buffer, base, count, first, labels, of)
        if count > MAX_THREADS:
            return 0, word_start, result | LOST
    return count, after_point(word_start, entry, alternatives), result


@njit
def byte_step(
    place: Any, buffer: Any, byte: int,
    code: Any, symbols: Any, alternatives: Any, first: Any, labels: Any, accept: Any,
    roots: Any, n_roots: int,
) -> None:  # fmt: skip
    """Advance a place by one byte of a token."""
    need, value, broken, point = decode(place[NEED], place[VALUE], byte)
    place[NEED] = need
    place[VALUE] = value
    for one in (broken, point):
        if one < 0:
            continue
        count, word_start, state = point_step(
            place, PLACE, place[COUNT], buffer, 0, code, symbols, alternatives, first, labels,
            accept, roots, n_roots, place[WORD_START], place[STATE], one,
        )  # fmt: skip
        for i in range(count):
            place[PLACE + i] = buffer[i]
        place[COUNT] = count
        place[WORD_START] = word_start
        place[STATE] = state


@njit
def take_tokens(
    places: Any, rows: Any, tokens: Any, buffer: Any, text: Any, starts: Any, special: Any,
    code: Any, symbols: Any, alternatives: Any, first: Any, labels: Any, accept: Any,
    roots: Any, root_counts: Any,
) -> None:  # fmt: skip
    """Advance `places[rows[i]]` by `tokens[i]`, in order. An unknown token loses the row."""
    for i in range(len(rows)):
        row = rows[i]
        place = places[row]
        token = tokens[i]
        place[TAKEN] += 1
        if token < 0 or token >= len(special):
            place[STATE] |= LOST
            continue
        begin, end = starts[token], starts[token + 1]
        if begin == end and special[token]:
            # Shown or not, it may stand between two words or between two letters.
            place[WORD_START] = AT_WORD
            continue
        for at in range(begin, end):
            byte_step(
                place, buffer, text[at], code, symbols, alternatives, first, labels, accept,
                roots[row], root_counts[row],
            )  # fmt: skip
        # The token is out: what it completed, or would complete here, is no longer to be avoided.
        place[STATE] &= LOST
