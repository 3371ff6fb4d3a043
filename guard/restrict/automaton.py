"""The phrase automaton: all phrases of some policies, and scanners that walk text through it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from guard.restrict import state, walk
from guard.restrict.folding import code_points, fold_tables
from guard.restrict.phrases import Phrase
from guard.restrict.trie import Trie, build_trie


@dataclass(frozen=True, slots=True)
class Match:
    """A forbidden phrase in a text: raw code points [start, end), and the phrases it may be.

    `end` is the acting point, not the end of the forbidden run.
    """

    start: int
    end: int
    phrases: tuple[Phrase, ...]


class PhraseAutomaton:
    """Immutable; built from phrases, shared by every scanner of a process."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        unique = list(dict.fromkeys(phrases))
        self.phrases = tuple(unique)
        self.trie: Trie = build_trie([p.symbols for p in unique], [p.flag for p in unique])
        ends: defaultdict[int, list[Phrase]] = defaultdict(list)
        for phrase, node in zip(unique, self.trie.ends.tolist(), strict=True):
            ends[node].append(phrase)
        self._ends = dict(ends)
        self._spare: list[Scanner] = []
        tables = fold_tables()
        # Scratch for the walk: where each node stands in the list under construction.
        slots = np.zeros(self.trie.nodes, dtype=np.int32)
        self._arrays = (
            tables.code, tables.symbols, tables.alternatives, tables.entity_names,
            tables.entity_values, self.trie.first, self.trie.labels, self.trie.accept, slots,
        )  # fmt: skip

    def __bool__(self) -> bool:
        return bool(self.phrases)

    def phrases_at(self, node: int) -> tuple[Phrase, ...]:
        """The phrases that end at a node, or, for a flooded one, one that leads on from it."""
        while node not in self._ends:
            node = int(self.trie.first[node]) + 1
        return tuple(self._ends[node])

    def find_all(self, text: str) -> list[Match]:
        """Every match in a finished text, in the order in which they are acted on."""
        try:
            scanner = self._spare.pop()  # one step under the interpreter lock: safe from threads
        except IndexError:
            scanner = Scanner(self)
        matches = scanner.feed(text) + scanner.flush()
        scanner.reset()
        self._spare.append(scanner)
        return matches


class Scanner:
    """One text channel walking through an automaton: `feed` pieces, then `flush`.

    Over any division of the same text into pieces the matches are the same. `live` is the raw
    code-point offset from which text must be held back: a match may still begin there.
    """

    __slots__ = ("_automaton", "_out", "_state")

    def __init__(self, automaton: PhraseAutomaton) -> None:
        self._automaton = automaton
        self._state: Any = state.new_state()
        self._out: Any = np.empty((128, 3), dtype=np.int64)

    def reset(self) -> None:
        """Begin a new text."""
        state.restart(self._state)

    @property
    def position(self) -> int:
        """Code points read so far."""
        return int(self._state[state.POS])

    @property
    def live(self) -> int:
        """The earliest code point that a match may still begin at (`position` when none)."""
        return int(self._state[state.LIVE])

    def feed(self, text: str) -> list[Match]:
        """Read on; returns the matches that this piece completed."""
        points = code_points(text)
        arrays = self._automaton._arrays
        done = walk.walk(points, 0, *arrays, self._state, self._out)
        matches = self._collect() if self._state[state.FOUND] else []
        while done < len(points):
            self._make_room()
            done = walk.walk(points, done, *arrays, self._state, self._out)
            matches += self._collect()
        return matches

    def flush(self) -> list[Match]:
        """The end of the text: a word boundary, so a phrase waiting for one is a match."""
        while int(self._state[state.PENDING]) > len(self._out):
            self._make_room()
        walk.finish(self._state, self._out)
        return self._collect()

    def _collect(self) -> list[Match]:
        found = int(self._state[state.FOUND])
        self._state[state.FOUND] = 0
        return [
            Match(int(start), int(end), self._automaton.phrases_at(int(node)))
            for start, end, node in self._out[:found].tolist()
        ]

    def _make_room(self) -> None:
        # FOUND is 0 here, so a walk that stopped early needs a larger state (and `out` with it).
        self._state = state.grown(self._state)
        self._out = np.empty((2 * len(self._out), 3), dtype=np.int64)
