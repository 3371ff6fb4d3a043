"""Keeps a batch of texts that a model is writing free of forbidden phrases, token by token.

What the engine plugin and the benchmarks drive; free of torch and of vLLM. A row is one text: it
`begin`s under some tries, `take`s the tokens that were chosen, and `restrict` sets the logits of
tokens after which the text would hold a match, should it end there, to minus infinity. By induction
no text that only takes what it is let ever holds one, however its tokens spell it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from guard.restrict import restricting, token_walk
from guard.restrict.completing import new_scratch
from guard.restrict.completions import Completions
from guard.restrict.folding import fold_tables
from guard.restrict.forest import Forest
from guard.restrict.memory import Memory
from guard.restrict.outlook import outlook
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
        self._completions = (compiled.entry, compiled.place, compiled.pool)
        self._places = np.zeros((rows, token_walk.PLACE + token_walk.MAX_THREADS), dtype=np.int64)
        self._roots = np.zeros((rows, token_walk.MAX_ROOTS), dtype=np.int64)
        self._root_counts = np.zeros(rows, dtype=np.int64)
        frames, scratch = new_scratch(vocabulary.longest)
        self._frames, self._scratch = frames, scratch
        self._buffer = np.zeros(token_walk.ROOM, dtype=np.int64)
        self._one = np.zeros(1, dtype=np.int64)
        self._spans = np.zeros((1 << 16, 2), dtype=np.int32)
        tables, v, f, m = fold_tables(), vocabulary, self.forest, self._memory
        self._fold = (tables.code, tables.symbols, tables.alternatives)
        self._tokens = (v.text, v.starts, v.special)
        self._memory_arrays = (m.keys, m.place, m.size, m.pool, m.used)
        self._trie_arrays = (f.first, f.labels, f.accept)
        self._vocabulary_arrays = (
            v.first, v.labels, v.low, v.own, v.high, v.most, v.most_new,
        )  # fmt: skip
        self._farthest = int(v.most[0]) if len(v.most) else 0

    def plant(self, trie: Trie) -> int:
        """Take a trie in; returns its root. Raises EngineError when there is no room."""
        return self.forest.plant(trie, outlook(trie))

    def begin(self, row: int, roots: Sequence[int]) -> None:
        """A new text, at its beginning, under the tries with these roots."""
        place = self._places[row]
        place[: token_walk.PLACE] = 0
        place[token_walk.WORD_START] = AT_WORD
        if len(roots) > token_walk.MAX_ROOTS:
            place[token_walk.STATE] = token_walk.LOST
            roots = ()
        self._roots[row, : len(roots)] = roots
        self._root_counts[row] = len(roots)

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
        for array in (self._places, self._roots, self._root_counts):
            array[pair] = array[pair[::-1]]

    def take(self, rows: Sequence[int], tokens: Sequence[int]) -> None:
        """Token tokens[i] was chosen for rows[i]; a row may come more than once, in order."""
        if not rows:
            return
        token_walk.take_tokens(
            self._places, np.array(rows, dtype=np.int64), np.array(tokens, dtype=np.int64),
            self._buffer, *self._tokens, *self._fold, *self._trie_arrays,
            self._roots, self._root_counts,
        )  # fmt: skip

    def spans(self, rows: Sequence[int]) -> tuple[Any, Any]:
        """What the rows may not take: intervals of `vocabulary.order`, int32 (n, 2), those of one
        row after those of the row before; and int64 (len(rows),) how many each has, -1 for a row
        that is lost."""
        which = np.array(rows, dtype=np.int64)
        counts = np.zeros(len(which), dtype=np.int64)
        forgot = False
        while True:
            asked = restricting.restrict_rows(
                self._places, which, self._roots, self._root_counts, self._spans, counts,
                self._farthest, *self._completions, *self._memory_arrays, *self._fold,
                *self._trie_arrays, self.forest.reach, self.forest.shape,
                *self._vocabulary_arrays, self._frames, self._scratch, self._one, self._buffer,
            )  # fmt: skip
            if asked == restricting.DONE:
                return self._spans, counts
            if asked == restricting.NO_ROOM:
                self._spans = np.zeros((2 * len(self._spans), 2), dtype=np.int32)
            elif forgot:  # not even one step's worth fits: nothing is let through
                counts[:] = -1
                return self._spans, counts
            else:
                self._memory.forget()
                forgot = True

    def restrict(self, logits: Any, lines: Sequence[int], rows: Sequence[int]) -> None:
        """Forbid, in place: logits[lines[i]] (float32, writable numpy) are those of rows[i]."""
        if not rows:
            return
        spans, counts = self.spans(rows)
        restricting.ban(
            logits, np.array(lines, dtype=np.int64), spans, counts, self.vocabulary.order, self.end
        )

    def forbidden(self, row: int) -> set[int]:
        """The tokens a row may not take, as a set: for tests and for explaining."""
        spans, counts = self.spans([row])
        found: set[int] = set()
        for low, high in spans[: max(0, int(counts[0]))].tolist():
            found.update(self.vocabulary.order[low:high].tolist())
        return found
