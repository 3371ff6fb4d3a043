"""A step of a batch in two compiled calls: follow what the texts have become, then ban.

Everything is passed by address, see `step_arrays.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from guard.restrict import step_arrays as at
from guard.restrict.compiled import njit
from guard.restrict.completing import FRAME
from guard.restrict.restricting import DONE, ban_rows, restrict_rows
from guard.restrict.token_walk import COUNT, MAX_ROOTS, PLACE, PLACE_WIDTH, TAKEN, take_tokens
from guard.restrict.word_start import WORD_STARTS

NOT_DONE = -1

# Of a batch's seats: lines of logits, rows of the token guard, and a step's own: how many intervals
# a row has, and which rows have taken which token.
LINES, ROWS, COUNTS, LONGER, TOKENS = range(5)


class Seats:
    """A batch as it stays for many steps: texts[i], a list that grows, is that of rows[i] of a
    token guard, and its logits stand in lines[i]. `counts`: how many intervals rows[i] has."""

    __slots__ = ("_array", "address", "counts", "lines", "texts")

    def __init__(
        self, lines: Sequence[int], rows: Sequence[int], texts: Sequence[Sequence[int]]
    ) -> None:
        self.lines, self.texts = lines, texts
        self._array = np.zeros((5, len(lines)), dtype=np.int64)
        self._array[LINES], self._array[ROWS] = lines, rows
        self.counts = self._array[COUNTS]
        self.address = int(self._array.ctypes.data)


@njit
def take(table: int, rows: Any, tokens: Any) -> None:
    """Token tokens[i] was chosen for rows[i], in order."""
    t = at.unpacked(table)
    take_tokens(
        at.int64_rows(t, at.PLACES, PLACE_WIDTH), rows, tokens, at.int64s(t, at.BUFFER),
        at.uint8s(t, at.TEXT), at.int64s(t, at.STARTS), at.bools(t, at.SPECIAL),
        at.uint32s(t, at.CODE), at.uint8s(t, at.SYMBOLS), at.uint32s(t, at.ALTERNATIVES),
        at.int32s(t, at.FIRST), at.uint8s(t, at.LABELS), at.uint8s(t, at.ACCEPT),
        at.int64_rows(t, at.ROOTS, MAX_ROOTS), at.int64s(t, at.ROOT_COUNTS),
    )  # fmt: skip


@njit
def restrict(table: int, rows: Any, counts: Any, farthest: int) -> int:
    """As `restrict_rows`, into the table's spans."""
    t = at.unpacked(table)
    return restrict_rows(
        at.int64_rows(t, at.PLACES, PLACE_WIDTH), rows, at.int64_rows(t, at.ROOTS, MAX_ROOTS),
        at.int64s(t, at.ROOT_COUNTS), at.int32_rows(t, at.SPANS, 2), counts, farthest,
        at.int32s(t, at.ENTRY), at.table_places(t), at.int32_rows(t, at.TABLE_POOL, 2),
        at.uint64s(t, at.MEM_KEYS), at.int32s(t, at.MEM_PLACE), at.int32s(t, at.MEM_SIZE),
        at.int32_rows(t, at.MEM_POOL, 2), at.int64s(t, at.MEM_USED), at.uint32s(t, at.CODE),
        at.uint8s(t, at.SYMBOLS), at.uint32s(t, at.ALTERNATIVES), at.int32s(t, at.FIRST),
        at.uint8s(t, at.LABELS), at.uint8s(t, at.ACCEPT), at.uint8s(t, at.REACH),
        at.uint64s(t, at.SHAPE), at.int32s(t, at.VOCAB_FIRST), at.uint8s(t, at.VOCAB_LABELS),
        at.int32s(t, at.LOW), at.int32s(t, at.OWN), at.int32s(t, at.HIGH), at.uint8s(t, at.MOST),
        at.uint8_rows(t, at.MOST_NEW, WORD_STARTS), at.int64_rows(t, at.FRAMES, FRAME),
        at.int64s(t, at.SCRATCH), at.int64s(t, at.ONE), at.int64s(t, at.BUFFER),
    )  # fmt: skip


@njit
def _touch(table: int, rows: Any, tokens: Any) -> int:
    """Read what the walk reads first of each row. These reads do not hang on one another, so that
    waits for memory overlap; the walk itself would wait for one row after another."""
    t = at.unpacked(table)
    places, roots = at.int64_rows(t, at.PLACES, PLACE_WIDTH), at.int64_rows(t, at.ROOTS, MAX_ROOTS)
    root_counts, starts = at.int64s(t, at.ROOT_COUNTS), at.int64s(t, at.STARTS)
    text = at.uint8s(t, at.TEXT)
    first, labels = at.int32s(t, at.FIRST), at.uint8s(t, at.LABELS)
    seen = 1
    for i in range(len(rows)):
        place = places[rows[i]]
        seen |= place[0] | place[PLACE] | roots[rows[i], 0] | root_counts[rows[i]]
        if 0 <= tokens[i] < len(starts) - 1:
            seen |= text[starts[tokens[i]]]
    for i in range(len(rows)):
        place = places[rows[i]]
        for k in range(place[COUNT]):
            seen |= labels[first[place[PLACE + k] >> 3]]
    return seen


@njit
def follow(table: int, seats: int, lengths: int, last: int, count: int, farthest: int) -> int:
    """Take what is new in `count` texts and find what each may not take; `seats`: of `Seats`.

    `lengths` and `last`: of each text the tokens so far, and the last of them. Returns how many
    rows may not take something. NOT_DONE when some text has other than one new token at most, or
    one that is not known yet, before anything is done; or when what is found has no room.
    """
    seat = at.int64s_at(seats, 5, count)
    rows, counts, longer, tokens = seat[ROWS], seat[COUNTS], seat[LONGER], seat[TOKENS]
    said, said_last = at.int64s_at(lengths, 1, count)[0], at.int64s_at(last, 1, count)[0]
    if _touch(table, rows, said_last) == 0:
        return NOT_DONE  # it never is: but then the compiler has to keep the reads
    places = at.int64_rows(at.unpacked(table), at.PLACES, PLACE_WIDTH)
    new = 0
    for i in range(count):
        more = said[i] - places[rows[i], TAKEN]
        if more < 0 or more > 1 or (more == 1 and said_last[i] < 0):
            return NOT_DONE
        longer[new], tokens[new] = rows[i], said_last[i]
        new += more
    take(table, longer[:new], tokens[:new])
    if restrict(table, rows, counts, farthest) != DONE:
        return NOT_DONE
    acting = 0
    for i in range(count):
        acting += 1 if counts[i] != 0 else 0
    return acting


@njit
def ban(
    table: int, seats: int, count: int, logits: int, stride: int, width: int, end: int
) -> None:  # fmt: skip
    """Set to -inf what `follow` found, in float32 logits: a line of `width` every `stride`."""
    t = at.unpacked(table)
    seat = at.int64s_at(seats, 5, count)
    batch = at.float32s_at(logits, seat[LINES].max() + 1, stride)
    spans, order = at.int32_rows(t, at.SPANS, 2), at.int32s(t, at.ORDER)
    ban_rows(batch, width, seat[LINES], spans, seat[COUNTS], order, end)
