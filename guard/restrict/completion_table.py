"""Completing tokens, compiled ahead: for devices that cannot walk the vocabulary themselves.

For every node of a trie at which a phrase can be under way, in each of the ways a thread can stand
there, and for the phrases that begin inside a token: the intervals of the vocabulary's order that
complete one. Nodes of one shape share an entry, and a table that is known spares what it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guard.errors import EngineError
from guard.restrict.compiled import njit, njit_nogil
from guard.restrict.completing import FULL, completing, new_scratch
from guard.restrict.folding import fold_tables
from guard.restrict.letter_index import LetterIndex
from guard.restrict.outlook import Outlook
from guard.restrict.spelling import (
    TOO_MANY,
    add_span,
    ended_words,
    spelled_by,
    state_at,
    united,
)
from guard.restrict.token_walk import LOST, MATCHED, ROOM, WAITING
from guard.restrict.trie import Trie
from guard.restrict.vocabulary import Vocabulary
from guard.restrict.word_start import WORD_STARTS

VARIANTS = 6  # the low bits of a thread's key; in a root's row, word starts
PIECE = 32  # tokens in the longest interval, so that a device bans them tile by tile
NOTHING = -1  # of a node: no token completes anything there
_BOUNDARY = 0x20
_MOST_SPANS = 1 << 20  # of one entry, before they are united


@dataclass(frozen=True, slots=True)
class CompletionTable:
    """What completes a phrase, for one trie over one vocabulary.

    `entry`: int32 (nodes,), the row of `place` for a thread at a node, NOTHING when there is none;
    `place`: int32 (rows, VARIANTS, 2), start and size in `pool`; `pool`: int32 (n, 2), intervals
    of `Vocabulary.order`; `shapes`: uint64 (rows,), the shape that a row is for, 0 for the root's,
    which is the last. At a root the variant is the word start of the text.
    """

    entry: NDArray[np.int32]
    place: NDArray[np.int32]
    pool: NDArray[np.int32]
    shapes: NDArray[np.uint64]

    @property
    def nbytes(self) -> int:
        return self.entry.nbytes + self.place.nbytes + self.pool.nbytes + self.shapes.nbytes


def compile_table(
    trie: Trie,
    ahead: Outlook,
    vocabulary: Vocabulary,
    index: LetterIndex,
    known: Sequence[CompletionTable] = (),
) -> CompletionTable:
    """Compile, taking over from `known` tables, of the same vocabulary, what they hold.

    Raises EngineError when one trie's intervals do not fit 2^31 places.
    """
    inside = np.flatnonzero(trie.first[1:] > trie.first[:-1])
    inside = inside[(inside > 0) & (ahead.reach[inside] <= _farthest(vocabulary))]
    inside = inside[trie.labels[inside - 1] > _BOUNDARY]  # no thread stands behind a boundary
    shapes, which, of = np.unique(ahead.shape[inside], return_index=True, return_inverse=True)
    work = _Work(trie, ahead, vocabulary, index)
    work.take_over(shapes, known)
    work.compile(inside[which])
    work.compile_root()
    row_of = np.where(work.sizes.any(axis=1), np.cumsum(work.sizes.any(axis=1)) - 1, NOTHING)
    entry = np.full(trie.nodes, NOTHING, dtype=np.int32)
    entry[inside] = row_of[:-1][of]
    kept = row_of >= 0
    kept[-1] = True  # the root's row is always there
    entry[0] = int(kept.sum()) - 1
    place = np.stack((work.starts[kept], work.sizes[kept]), axis=2).astype(np.int32)
    return CompletionTable(
        entry=entry,
        place=place,
        pool=work.pool[: work.used].copy(),
        shapes=np.concatenate((shapes, np.zeros(1, np.uint64)))[kept],
    )


def _farthest(vocabulary: Vocabulary) -> int:
    return int(vocabulary.most[0]) if len(vocabulary.most) else 0


class _Work:
    """One compilation under way."""

    def __init__(
        self, trie: Trie, ahead: Outlook, vocabulary: Vocabulary, index: LetterIndex
    ) -> None:
        v, tables = vocabulary, fold_tables()
        self._fold = (tables.code, tables.symbols, tables.alternatives)
        self._trie = (trie.first, trie.labels, trie.accept, ahead.reach)
        self._tokens = (v.text, v.starts, v.order)
        self._vocabulary = (v.first, v.labels, v.low, v.own, v.high, v.most, v.most_new)
        self._index = (index.keys, index.kind, index.start, index.size, index.nodes, index.depth)
        self._scratch = (*new_scratch(v.longest), *_scratch(v.longest))
        self.pool = np.zeros((1 << 16, 2), dtype=np.int32)
        self.used = 0

    def take_over(self, shapes: NDArray[np.uint64], known: Sequence[CompletionTable]) -> None:
        """Make a row for each shape and one for the root; fill those that a known table has."""
        self.starts = np.zeros((len(shapes) + 1, VARIANTS), dtype=np.int64)
        self.sizes = np.zeros_like(self.starts)
        self.done = np.zeros(len(shapes), dtype=np.bool_)
        for table in known:
            if len(table.shapes) < 2:
                continue
            rows = np.searchsorted(table.shapes[:-1], shapes).clip(0, len(table.shapes) - 2)
            here = np.flatnonzero((table.shapes[rows] == shapes) & ~self.done)
            self._grow(self.used + len(table.pool))
            self.used = _copy_rows(
                here, rows[here], table.place, table.pool, self.starts, self.sizes, self.pool,
                self.used,
            )  # fmt: skip
            self.done[here] = True

    def compile(self, nodes: NDArray[np.int64]) -> None:
        """Fill the rows that are not done: nodes[i] stands for row i."""
        at = 0
        while at < len(nodes):
            at, self.used = _compile_rows(
                nodes, at, self.done, self.starts, self.sizes, self.pool, self.used, *self._tokens,
                *self._fold, *self._trie, *self._vocabulary, *self._index, *self._scratch,
            )  # fmt: skip
            if at < len(nodes):
                self._grow(2 * len(self.pool))

    def compile_root(self) -> None:
        """Fill the last row: phrases that begin inside a token."""
        for word_start in range(WORD_STARTS):
            while True:
                size = _compile_root(
                    word_start, self.pool, self.used, *self._fold, *self._trie,
                    *self._vocabulary, *self._scratch[:3],
                )  # fmt: skip
                if size != TOO_MANY:
                    break
                self._grow(2 * len(self.pool))
            self.starts[-1, word_start], self.sizes[-1, word_start] = self.used, size
            self.used += size

    def _grow(self, size: int) -> None:
        if size >= 1 << 31:
            raise EngineError("a trie's completing tokens do not fit one table")
        if size > len(self.pool):
            bigger = np.zeros((size, 2), dtype=np.int32)
            bigger[: self.used] = self.pool[: self.used]
            self.pool = bigger


def _scratch(longest: int) -> tuple[Any, ...]:
    """What `_compile_rows` works in, besides `completing`'s own."""
    return (
        np.zeros(_MOST_SPANS, dtype=np.int64),  # spans
        np.zeros(_MOST_SPANS, dtype=np.int32),  # candidates
        np.zeros((longest + 2, 4), dtype=np.int64),  # frames below a word's end
        np.zeros(4096, dtype=np.int64),  # stack of trie nodes
        np.zeros(4096, dtype=np.uint64),  # and of hashes
        np.zeros(ROOM, dtype=np.int64),
        np.zeros(ROOM, dtype=np.int64),
    )


@njit_nogil
def _copy_rows(
    rows: Any, sources: Any, place: Any, source_pool: Any, begins: Any, sizes: Any, pool: Any,
    used: int,
) -> int:  # fmt: skip
    """Rows of another table, each list of intervals once: how much of `pool` is then used."""
    moved = np.full(len(source_pool) + 1, -1, dtype=np.int64)
    for i in range(len(rows)):
        for variant in range(VARIANTS):
            start, size = place[sources[i], variant, 0], place[sources[i], variant, 1]
            if size == 0:
                continue
            if moved[start] < 0:
                moved[start] = used
                for s in range(size):
                    pool[used + s, 0] = source_pool[start + s, 0]
                    pool[used + s, 1] = source_pool[start + s, 1]
                used += size
            begins[rows[i], variant] = moved[start]
            sizes[rows[i], variant] = size
    return used


@njit
def _same(pool: Any, one: int, other: int, size: int) -> bool:
    for i in range(size):
        if pool[one + i, 0] != pool[other + i, 0] or pool[one + i, 1] != pool[other + i, 1]:
            return False
    return True


@njit
def _in_full(
    key: int, is_root: bool, word_start: int, spans: Any, single: Any,
    code: Any, symbols: Any, alternatives: Any, first: Any, labels: Any, accept: Any, reach: Any,
    vocab_first: Any, vocab_labels: Any, low: Any, own: Any, high: Any, most: Any, most_new: Any,
    frames: Any, keys: Any,
) -> int:  # fmt: skip
    """Intervals of one thread, or of one root, by the general walk, to `spans`."""
    out = np.zeros((len(spans), 2), dtype=np.int32)
    single[0] = key
    found = completing(
        single, 0 if is_root else 1, single, 1 if is_root else 0, word_start, 0, 0, code, symbols,
        alternatives, first, labels, accept, reach, vocab_first, vocab_labels, low, own, high,
        most, most_new, frames, keys, out,
    )  # fmt: skip
    if found == FULL:
        # More intervals than anybody needs: everything is forbidden.
        return add_span(spans, 0, low[0], high[0])
    for i in range(found):
        add_span(spans, i, out[i, 0], out[i, 1])
    return found


@njit_nogil
def _compile_root(
    word_start: int, pool: Any, used: int,
    code: Any, symbols: Any, alternatives: Any, first: Any, labels: Any, accept: Any, reach: Any,
    vocab_first: Any, vocab_labels: Any, low: Any, own: Any, high: Any, most: Any, most_new: Any,
    frames: Any, keys: Any, spans: Any,
) -> int:  # fmt: skip
    single = np.zeros(1, dtype=np.int64)
    found = _in_full(
        0, True, word_start, spans, single, code, symbols, alternatives, first, labels, accept,
        reach, vocab_first, vocab_labels, low, own, high, most, most_new, frames, keys,
    )  # fmt: skip
    return united(spans, found, PIECE, pool, used)


@njit
def _spans_of(
    key: int, candidates: Any, n_candidates: int, spans: Any, text: Any, starts: Any, order: Any,
    code: Any, symbols: Any, alternatives: Any, first: Any, labels: Any, accept: Any,
    vocab_first: Any, vocab_labels: Any, low: Any, own: Any, high: Any, depth: Any, below: Any,
    one: Any, other: Any,
) -> int:  # fmt: skip
    """Intervals of one thread, not yet united; TOO_MANY when they are too many."""
    found = 0
    for i in range(n_candidates):
        node = candidates[i]
        state, word_start = state_at(
            key, node, text, starts, order, low, depth, code, symbols, alternatives, first, labels,
            accept, one, other,
        )  # fmt: skip
        if state & (MATCHED | LOST):
            found = add_span(spans, found, low[node], high[node])
        elif state & WAITING:
            found = ended_words(
                node, word_start, code, alternatives, vocab_first, vocab_labels, low, own, high,
                below, spans, found,
            )  # fmt: skip
        if found == TOO_MANY:
            return TOO_MANY
    return found


@njit_nogil
def _compile_rows(
    nodes: Any, at: int, done: Any, begins: Any, sizes: Any, pool: Any, used: int,
    text: Any, starts: Any, order: Any, code: Any, symbols: Any, alternatives: Any,
    first: Any, labels: Any, accept: Any, reach: Any,
    vocab_first: Any, vocab_labels: Any, low: Any, own: Any, high: Any, most: Any, most_new: Any,
    index_keys: Any, index_kind: Any, index_start: Any, index_size: Any, index_nodes: Any,
    depth: Any, frames: Any, keys: Any, spans: Any, candidates: Any, below: Any, stack: Any,
    hashes: Any, one: Any, other: Any,
) -> tuple[int, int]:  # fmt: skip
    """Rows at, at + 1, ...: (the row that did not fit `pool`, or len(nodes); pool rows used)."""
    single = np.zeros(1, dtype=np.int64)
    for row in range(at, len(nodes)):
        if done[row]:
            continue
        node = nodes[row]
        n_candidates = spelled_by(
            node, first, labels, accept, index_keys, index_kind, index_start, index_size,
            index_nodes, stack, hashes, candidates,
        )  # fmt: skip
        if n_candidates == 0:
            continue
        before = used
        for variant in range(VARIANTS):
            key = (node << 3) | variant
            found = TOO_MANY
            if n_candidates != TOO_MANY:
                found = _spans_of(
                    key, candidates, n_candidates, spans, text, starts, order, code, symbols,
                    alternatives, first, labels, accept, vocab_first, vocab_labels, low, own, high,
                    depth, below, one, other,
                )  # fmt: skip
            if found == TOO_MANY:
                found = _in_full(
                    key, False, 0, spans, single, code, symbols, alternatives, first, labels,
                    accept, reach, vocab_first, vocab_labels, low, own, high, most, most_new,
                    frames, keys,
                )  # fmt: skip
            size = united(spans, found, PIECE, pool, used)
            if size == TOO_MANY:
                return row, before
            begin = used
            for earlier in range(variant):
                start = begins[row, earlier]
                if sizes[row, earlier] == size and _same(pool, start, used, size):
                    begin = start
                    break
            begins[row, variant], sizes[row, variant] = begin, size
            if begin == used:
                used += size
    return len(nodes), used
