"""The phrase automaton: all phrases of some policies, and scanners that walk text through it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from guard.restrict import runs, state, walk
from guard.restrict.decodings import MAX_DEPTH, NO_BUFFERS, Buffers, Decodings
from guard.restrict.folding import code_points, fold_tables
from guard.restrict.match import Match
from guard.restrict.mirrors import mirrors
from guard.restrict.opening import first_bytes
from guard.restrict.phrases import Phrase
from guard.restrict.trie import Trie, build_trie


class Room(NamedTuple):
    """What a scanner reads with: the walk's state, its matches, what the decoders fill."""

    state: Any
    out: Any
    buffers: Buffers


def new_room() -> Room:
    """Room at the start of a text."""
    return Room(state.new_state(), np.empty((128, 3), dtype=np.int64), NO_BUFFERS)


class PhraseAutomaton:
    """Immutable; built from phrases, shared by every scanner of a process."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        unique = list(dict.fromkeys(phrases))
        self.phrases = tuple(unique)
        patterns = [(p.symbols, p.flag) for p in unique]
        meant = list(unique)
        for phrase in unique:
            for pattern in mirrors(phrase):
                patterns.append(pattern)
                meant.append(phrase)
        self.trie: Trie = (
            build_trie(*zip(*patterns, strict=True)) if patterns else build_trie((), ())
        )
        self.begins = first_bytes(phrase.symbols for phrase in unique)
        ends: defaultdict[int, list[Phrase]] = defaultdict(list)
        for phrase, node in zip(meant, self.trie.ends.tolist(), strict=True):
            if phrase not in ends[node]:
                ends[node].append(phrase)
        self._ends = dict(ends)
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
            room = _spare.pop()  # one step under the interpreter lock: safe from threads
        except IndexError:
            room = new_room()
        scanner = Scanner(self, room=room)
        matches = scanner.feed(text) + scanner.flush()
        _spare.append(scanner.cleared())
        return matches


# Rooms of finished texts, for the next one and whichever automaton reads it. Not its scanner: an
# automaton that kept one would be kept by it in turn, with all its tables, until a collection.
_spare: list[Room] = []


class Scanner:
    """One text channel walking through an automaton: `feed` pieces, then `flush`.

    Over any division of the same text into pieces the matches are the same. `live` is the raw
    code-point offset from which text must be held back: a match may still begin there. `depth`
    counts the encodings that the text was inside of.
    """

    __slots__ = ("_automaton", "_decodings", "_out", "_state")

    def __init__(
        self, automaton: PhraseAutomaton, depth: int = 0, room: Room | None = None
    ) -> None:
        self._automaton = automaton
        self._state, self._out, buffers = room or new_room()
        self._decodings: Decodings | None = None
        if depth < MAX_DEPTH:
            self._decodings = Decodings(automaton, depth, self._state, buffers)

    def copy(self) -> Scanner:
        """Another scanner that has read the same."""
        twin = Scanner.__new__(Scanner)
        twin._automaton = self._automaton
        twin._state = self._state.copy()
        twin._out = np.empty_like(self._out)
        twin._decodings = None if self._decodings is None else self._decodings.copy(twin._state)
        return twin

    def fresh(self) -> Scanner:
        """Another scanner at the start of a text."""
        return Scanner(self._automaton, 0 if self._decodings is not None else MAX_DEPTH)

    def cleared(self) -> Room:
        """What it has read with, ready for another text. The scanner itself is of no use then."""
        state.restart(self._state)
        buffers = NO_BUFFERS if self._decodings is None else self._decodings.buffers
        return Room(self._state, self._out, buffers)

    @property
    def position(self) -> int:
        """Code points read so far."""
        return int(self._state[state.POS])

    @property
    def live(self) -> int:
        """The earliest code point that a match may still begin at (`position` when none)."""
        return int(self._state[state.LIVE])

    @property
    def begun(self) -> int:
        """The same with the beginnings of runs in which no phrase can begin: `live` or less."""
        return int(self._state[state.BEGUN])

    @property
    def undecided(self) -> bool:
        """Whether there may be a match if the text ends here, which more of it can refute."""
        if self._state[state.PENDING]:
            return True
        return self._decodings is not None and self._decodings.live < self.position

    def feed(self, text: str) -> list[Match]:
        """Read on; returns the matches that this piece completed."""
        return self.read(code_points(text))

    def read(self, points: Any) -> list[Match]:
        """`feed` for code points: uint32 (n,), read-only."""
        arrays = self._automaton._arrays
        decodings = self._decodings
        if decodings is None:
            done = walk.walk(points, 0, *arrays, self._state, self._out)
            return self._collect() + self._walk_on(points, done)
        done = runs.read(points, *arrays, self._state, self._out, self._automaton.begins)
        if done == len(points):
            return []  # nearly always
        matches = self._collect() + self._walk_on(points, done if done >= 0 else -1 - done)
        matches += decodings.said(points)
        self._state[state.LIVE] = min(self._state[state.LIVE], decodings.live)
        self._state[state.BEGUN] = min(self._state[state.BEGUN], decodings.begun)
        matches.sort(key=_acting)
        return matches

    def flush(self) -> list[Match]:
        """The end of the text: a word boundary, so a phrase waiting for one is a match."""
        while int(self._state[state.PENDING]) > len(self._out):
            self._make_room()
        walk.finish(self._state, self._out)
        matches = self._collect()
        return matches if self._decodings is None else matches + self._decodings.flush()

    def _walk_on(self, points: Any, done: int) -> list[Match]:
        """Read `points[done:]`, where the walk stopped for want of room."""
        matches: list[Match] = []
        while done < len(points):
            self._make_room()
            done = walk.walk(points, done, *self._automaton._arrays, self._state, self._out)
            matches += self._collect()
        return matches

    def _collect(self) -> list[Match]:
        found = int(self._state[state.FOUND])
        if not found:
            return []
        self._state[state.FOUND] = 0
        return [
            Match(int(start), int(end), self._automaton.phrases_at(int(node)))
            for start, end, node in self._out[:found].tolist()
        ]

    def _make_room(self) -> None:
        # FOUND is 0 here, so a walk that stopped early needs a larger state (and `out` with it).
        self._state = state.grown(self._state)
        if self._decodings is not None:
            self._decodings.move(self._state)
        self._out = np.empty((2 * len(self._out), 3), dtype=np.int64)


def _acting(match: Match) -> tuple[int, int]:
    return match.end, match.start
