"""The served model's vocabulary as bytes, sorted, with a trie over it.

Every tokenizer is read the same way in the end: a token is the bytes it adds to the text. Tokens
are kept in the order of their bytes, so that those which begin alike are neighbours and a set of
forbidden tokens is a few intervals.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guard.restrict.compiled import njit
from guard.restrict.folding import ALTERNATIVES, LETTER, WORD, fold_tables
from guard.restrict.trie import build_trie
from guard.restrict.utf8 import decode
from guard.restrict.word_start import WORD_STARTS, after_point, begins_word

_MOST = 255


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Token bytes, and a trie over them.

    `text`: uint8, the bytes of all tokens by id, end to end; token t is
    text[starts[t]:starts[t + 1]] (empty for tokens that add no text: special ones). `order`: int32
    (tokens,), the ids sorted by bytes; the tokens below trie node v are order[low[v]:high[v]], and
    order[low[v]:own[v]] end at v. `most`: uint8 (nodes,), the most bytes of letters that the rest
    of a token below v can add to a phrase under way, and `most_new` (nodes, WORD_STARTS) to one
    that begins where a word does below v, by the word start at v.
    """

    text: NDArray[np.uint8]
    starts: NDArray[np.int64]
    special: NDArray[np.bool_]
    order: NDArray[np.int32]
    first: NDArray[np.int32]
    labels: NDArray[np.uint8]
    low: NDArray[np.int32]
    own: NDArray[np.int32]
    high: NDArray[np.int32]
    most: NDArray[np.uint8]
    most_new: NDArray[np.uint8]
    longest: int
    hash: str

    @property
    def tokens(self) -> int:
        return len(self.starts) - 1

    def bytes_of(self, token: int) -> bytes:
        """The bytes of one token."""
        return self.text[self.starts[token] : self.starts[token + 1]].tobytes()


def build_vocabulary(tokens: Sequence[bytes | None]) -> Vocabulary:
    """Build from the bytes of every token by id; None for a special token, which adds no text."""
    pieces = [token or b"" for token in tokens]
    lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
    starts = np.concatenate(([0], np.cumsum(lengths)))
    text = np.frombuffer(b"".join(pieces), np.uint8)
    spelled = [i for i, piece in enumerate(pieces) if piece]
    order = np.array(sorted(spelled, key=lambda i: (pieces[i], i)), dtype=np.int32)
    trie = build_trie([pieces[i] for i in order], [1] * len(order))
    low, own, high = (np.zeros(trie.nodes, dtype=np.int32) for _ in range(3))
    ended = np.bincount(trie.ends, minlength=trie.nodes).astype(np.int32)
    _intervals(trie.first, ended, low, own, high)
    most = np.zeros(trie.nodes, dtype=np.uint8)
    most_new = np.zeros((trie.nodes, WORD_STARTS), dtype=np.uint8)
    tables = fold_tables()
    _most_letters(trie.first, trie.labels, tables.code, tables.alternatives, most, most_new)
    digest = hashlib.sha256(np.ascontiguousarray(starts).tobytes() + text.tobytes()).hexdigest()
    return Vocabulary(
        text=text,
        starts=starts,
        special=np.array([token is None for token in tokens], dtype=np.bool_),
        order=order,
        first=trie.first,
        labels=trie.labels,
        low=low,
        own=own,
        high=high,
        most=most,
        most_new=most_new,
        longest=int(lengths.max(initial=0)),
        hash=digest,
    )


@njit
def _intervals(first: Any, ended: Any, low: Any, own: Any, high: Any) -> None:
    """Number the tokens in the order of a walk that meets a node before what is below it."""
    nodes = len(ended)
    for node in range(nodes):
        high[node] = ended[node]
    for node in range(nodes - 1, -1, -1):
        for edge in range(first[node], first[node + 1]):
            high[node] += high[edge + 1]
    for node in range(nodes):
        own[node] = low[node] + ended[node]
        at = own[node]
        for edge in range(first[node], first[node + 1]):
            low[edge + 1] = at
            at += high[edge + 1]
    for node in range(nodes):
        high[node] += low[node]


@njit
def _letters(entry: Any, alternatives: Any) -> int:
    """The most bytes of letters that one code point can stand for."""
    if entry & 7 != ALTERNATIVES:
        return (entry >> 4) & 63 if entry & 7 == LETTER or entry & 7 == WORD else 0
    most = 0
    for i in range((entry >> 4) & 63):
        reading = int(alternatives[(entry >> 10) + i])
        if reading & 7 == LETTER or reading & 7 == WORD:
            most = max(most, int((reading >> 4) & 63))
    return most


@njit
def _most_letters(
    first: Any, labels: Any, code: Any, alternatives: Any, most: Any, most_new: Any
) -> None:
    nodes = len(first) - 1
    need = np.zeros(nodes, dtype=np.uint8)
    value = np.zeros(nodes, dtype=np.int32)
    letters = np.zeros(nodes, dtype=np.uint8)
    begins = np.zeros((nodes, WORD_STARTS), dtype=np.bool_)
    after = np.zeros((nodes, WORD_STARTS), dtype=np.uint8)
    for node in range(nodes):
        for edge in range(first[node], first[node + 1]):
            below = edge + 1
            n, v, broken, point = decode(need[node], value[node], labels[edge])
            need[below], value[below] = n, v
            for word_start in range(WORD_STARTS):
                after[below, word_start] = word_start
            if broken >= 0:
                _note(broken, code, alternatives, below, begins, after)
            if point >= 0:
                letters[below] = _letters(np.int64(code[point]), alternatives)
                _note(point, code, alternatives, below, begins, after)
    for node in range(nodes - 1, -1, -1):
        for edge in range(first[node], first[node + 1]):
            below = edge + 1
            whole = min(_MOST, most[below] + letters[below])
            most[node] = max(most[node], whole)
            for word_start in range(WORD_STARTS):
                new = most_new[below, after[below, word_start]]
                if begins[below, word_start]:
                    new = whole
                most_new[node, word_start] = max(most_new[node, word_start], new)


@njit
def _note(point: int, code: Any, alternatives: Any, node: int, begins: Any, after: Any) -> None:
    """One more character on the way into `node`: whether a phrase may begin with it, and the word
    start after it, by the word start before."""
    entry = int(code[point])
    kind = entry & 7
    if kind == ALTERNATIVES:
        kind = int(alternatives[entry >> 10]) & 7
    for word_start in range(WORD_STARTS):
        before = int(after[node, word_start])
        after[node, word_start] = after_point(before, entry, alternatives)
        # A character that is a word of its own can be the first of a phrase wherever it stands.
        if kind == WORD or begins_word(before, entry):
            begins[node, word_start] = True
