"""Keeps a batch of texts that a model is writing free of forbidden phrases, token by token.

What the engine plugin and the benchmarks drive; free of torch and of vLLM. A row is one text: it
`begin`s under some tries, `take`s the tokens that were chosen, and `restrict` sets the logits of
tokens after which the text would hold a match, should it end there, to minus infinity. By induction
no text that only takes what it is let ever holds one, however its tokens spell it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np

from guard.restrict import batch_step, restricting, token_walk
from guard.restrict import step_arrays as at
from guard.restrict.batch_step import Seats
from guard.restrict.completing import new_scratch
from guard.restrict.completions import Completions
from guard.restrict.folding import fold_tables
from guard.restrict.forest import Forest
from guard.restrict.memory import Memory
from guard.restrict.outlook import outlook
from guard.restrict.step_arrays import packed
from guard.restrict.trie import Trie
from guard.restrict.vocabulary import Vocabulary
from guard.restrict.word_start import AT_WORD


class TokenGuard:
    """State of `rows` texts over one vocabulary. Not safe for use from several threads at once.

    `end`: the end-of-sequence token, all that is left to a row that cannot go on. `completions`:
    what was compiled ahead for the tries in `forest`; for others it is found when first met.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        end: int,
        rows: int,
        forest: Forest | None = None,
        memory: Memory | None = None,
        completions: Completions | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        self.end = end
        self.forest = forest or Forest(1 << 20)
        self._memory = memory or Memory()
        compiled = completions or Completions(self.forest.nodes, rows=1, intervals=1)
        self._places = np.zeros((rows, token_walk.PLACE_WIDTH), dtype=np.int64)
        self._roots = np.zeros((rows, token_walk.MAX_ROOTS), dtype=np.int64)
        self._root_counts = np.zeros(rows, dtype=np.int64)
        self._spans = np.zeros((1 << 16, 2), dtype=np.int32)
        frames, scratch = new_scratch(vocabulary.longest)
        tables, v, f, m = fold_tables(), vocabulary, self.forest, self._memory
        self._arrays = {
            at.PLACES: self._places, at.ROOTS: self._roots, at.ROOT_COUNTS: self._root_counts,
            at.SPANS: self._spans, at.FRAMES: frames, at.SCRATCH: scratch,
            at.ONE: np.zeros(1, dtype=np.int64), at.BUFFER: np.zeros(token_walk.ROOM, np.int64),
            at.TEXT: v.text, at.STARTS: v.starts, at.SPECIAL: v.special, at.ORDER: v.order,
            at.VOCAB_FIRST: v.first, at.VOCAB_LABELS: v.labels, at.LOW: v.low, at.OWN: v.own,
            at.HIGH: v.high, at.MOST: v.most, at.MOST_NEW: v.most_new,
            at.CODE: tables.code, at.SYMBOLS: tables.symbols, at.ALTERNATIVES: tables.alternatives,
            at.FIRST: f.first, at.LABELS: f.labels, at.ACCEPT: f.accept, at.REACH: f.reach,
            at.SHAPE: f.shape, at.ENTRY: compiled.entry, at.TABLE_PLACE: compiled.place,
            at.TABLE_POOL: compiled.pool, at.MEM_KEYS: m.keys, at.MEM_PLACE: m.place,
            at.MEM_SIZE: m.size, at.MEM_POOL: m.pool, at.MEM_USED: m.used,
        }  # fmt: skip
        self._packed = packed(self._arrays)
        self._table = int(self._packed.ctypes.data)
        self._farthest = int(v.most[0]) if len(v.most) else 0

    def plant(self, trie: Trie) -> int:
        """Take a trie in; returns its root. Raises EngineError when there is no room."""
        return self.forest.plant(trie, outlook(trie))

    def begin(self, row: int, roots: Sequence[int], lead: Sequence[int] = ()) -> None:
        """A new text under the tries with these roots; `lead`: tokens that stand before it."""
        place = self._places[row]
        place[: token_walk.PLACE] = 0
        place[token_walk.WORD_START] = AT_WORD
        if len(roots) > token_walk.MAX_ROOTS:
            place[token_walk.STATE] = token_walk.LOST
            roots = ()
        self._roots[row, : len(roots)] = roots
        self._root_counts[row] = len(roots)
        self.take([row] * len(lead), lead)
        place[token_walk.TAKEN] = 0

    def lose(self, row: int) -> None:
        """Let this row do nothing but end."""
        self._places[row, token_walk.STATE] = token_walk.LOST

    def is_lost(self, row: int) -> bool:
        """Whether the row can only end."""
        return bool(self._places[row, token_walk.STATE] & token_walk.LOST)

    def copy(self, source: int, target: int) -> None:
        """Row `target` goes on as `source` does."""
        self._places[target] = self._places[source]
        self._roots[target] = self._roots[source]
        self._root_counts[target] = self._root_counts[source]

    def swap(self, one: int, other: int) -> None:
        """Exchange two rows."""
        pair = [one, other]
        for state in (self._places, self._roots, self._root_counts):
            state[pair] = state[pair[::-1]]

    def take(self, rows: Sequence[int], tokens: Sequence[int]) -> None:
        """Token tokens[i] was chosen for rows[i]; a row may come more than once, in order."""
        if not rows:
            return
        batch_step.take(
            self._table, np.array(rows, dtype=np.int64), np.array(tokens, dtype=np.int64)
        )

    def taken(self, row: int) -> int:
        """Tokens that the row has taken since it began, its lead not counted."""
        return int(self._places[row, token_walk.TAKEN])

    def follow(self, seats: Seats) -> int | None:
        """Take the last token of every text that has one more than its row has taken, and find
        what the rows may not take: how many of them may not take something. None when that is not
        all there is to do: a text has more that is new, less, or a token that is not known yet
        (-1), and no row is touched; or `spans` has to make room first."""
        texts = seats.texts
        lengths = array("q", [len(text) for text in texts])
        last = array("q", [text[-1] if text else -1 for text in texts])
        acting = batch_step.follow(
            self._table, seats.address, lengths.buffer_info()[0], last.buffer_info()[0],
            len(texts), self._farthest,
        )  # fmt: skip
        return None if acting < 0 else int(acting)

    def followed(self, seats: Seats) -> tuple[Any, Any]:
        """What `follow` found, as `spans` says it."""
        return self._spans, seats.counts

    def ban(self, seats: Seats, logits: int, stride: int, width: int) -> None:
        """Forbid what `follow` found, in float32 logits at an address, of which a line of `width`
        begins every `stride`."""
        batch_step.ban(
            self._table, seats.address, len(seats.lines), logits, stride, width, self.end
        )

    def spans(self, rows: Sequence[int]) -> tuple[Any, Any]:
        """What the rows may not take: intervals of `vocabulary.order`, int32 (n, 2), those of one
        row after those of the row before; and int64 (len(rows),) how many each has, -1 for a row
        that is lost."""
        which = np.array(rows, dtype=np.int64)
        counts = np.zeros(len(which), dtype=np.int64)
        forgot = False
        while True:
            asked = batch_step.restrict(self._table, which, counts, self._farthest)
            if asked == restricting.DONE:
                return self._spans, counts
            if asked == restricting.NO_ROOM:
                self._spans = np.zeros((2 * len(self._spans), 2), dtype=np.int32)
                self._point()
            elif forgot:  # not even one step's worth fits: nothing is let through
                counts[:] = -1
                return self._spans, counts
            else:
                self._memory.forget()
                forgot = True

    def _point(self) -> None:
        """Compiled code is to use `_spans` as they are now."""
        self._arrays[at.SPANS] = self._spans
        self._packed[:] = packed(self._arrays)

    def restrict(self, logits: Any, lines: Sequence[int], rows: Sequence[int]) -> None:
        """Forbid, in place: logits[lines[i]] (float32, writable numpy) are those of rows[i]."""
        if not rows:
            return
        spans, counts = self.spans(rows)
        restricting.ban_rows(
            logits, logits.shape[1], np.array(lines, dtype=np.int64), spans, counts,
            self.vocabulary.order, self.end,
        )  # fmt: skip

    def forbidden(self, row: int) -> set[int]:
        """The tokens a row may not take, as a set: for tests and for explaining."""
        spans, counts = self.spans([row])
        found: set[int] = set()
        for low, high in spans[: max(0, int(counts[0]))].tolist():
            found.update(self.vocabulary.order[low:high].tolist())
        return found
