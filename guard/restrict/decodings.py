"""What a text says in base64 and hexadecimal, read by the same automaton.

The streams of `runs.py` are texts of their own: each goes through a scanner, which reads encodings
inside it in turn, to `MAX_DEPTH`. Matches come back as the raw characters that hold them. Like a
scanner it is a synchronous state machine: whatever the division into pieces, the matches are the
same, and nothing is held but what an undecided character or a live match inside covers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from guard.restrict import runs, streams
from guard.restrict.match import Match
from guard.restrict.state import RUNS

if TYPE_CHECKING:
    from guard.restrict.automaton import PhraseAutomaton, Scanner

MAX_DEPTH = 2  # base64 of base64 is read, and no deeper
MIN_LETTERS = 6  # bytes; decoded binary data holds shorter names by chance


class Buffers(NamedTuple):
    """What the streams fill: code points, and the raw [start, end) of each."""

    points: Any
    spans: Any


NO_BUFFERS = Buffers(
    np.empty((streams.STREAMS, 0), dtype=np.uint32), np.empty((streams.STREAMS, 0, 2), np.int64)
)
_NO_SPANS = NO_BUFFERS.spans[0]


class _Stream:
    """One decoded text: its scanner, and the raw characters of what may still begin a match."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._spans: Any = _NO_SPANS
        self._base = 0  # position, in the decoded text, of the first span kept

    def copy(self) -> _Stream:
        """Another stream that has said the same."""
        twin = _Stream(self._scanner.copy())
        twin._spans, twin._base = self._spans, self._base  # spans are replaced, never written to
        return twin

    @property
    def live(self) -> int | None:
        """The raw position from which a match may be under way."""
        return int(self._spans[0, 0]) if len(self._spans) else None

    def feed(self, points: Any, spans: Any) -> list[Match]:
        """Read on. `points`: uint32 (n,); `spans`: int64 (n, 2), raw [start, end) of each."""
        points.setflags(write=False)  # the compiled walk knows texts as read-only
        self._spans = np.concatenate((self._spans, spans))
        return self._settle(self._scanner.read(points))

    def flush(self) -> list[Match]:
        """The end of the text."""
        return self._settle(self._scanner.flush())

    def _settle(self, found: list[Match]) -> list[Match]:
        matches = [raw for match in found if (raw := self._raw(match)) is not None]
        done = self._scanner.begun - self._base
        self._spans = self._spans[done:]
        self._base += done
        return matches

    def _raw(self, match: Match) -> Match | None:
        phrases = tuple(p for p in match.phrases if sum(map(len, p.whole)) >= MIN_LETTERS)
        if not phrases:
            return None
        start = self._spans[match.start - self._base, 0]
        end = self._spans[match.end - 1 - self._base, 1]
        return Match(int(start), int(end), phrases)


class Decodings:
    """The decoded texts of one channel. `walking` is the walk's state; its last part is theirs.
    `buffers`: those of a text that is read, or none."""

    __slots__ = ("_automaton", "_depth", "_points", "_spans", "_state", "_streams")

    def __init__(
        self,
        automaton: PhraseAutomaton,
        depth: int,
        walking: Any,
        buffers: Buffers = NO_BUFFERS,
    ) -> None:
        self._automaton = automaton
        self._depth = depth
        self._streams: dict[int, _Stream] = {}
        self._points, self._spans = buffers
        self.move(walking)
        self._state[streams.ROOM] = self._points.shape[1]

    def move(self, walking: Any) -> None:
        """The walk's state is another array now, with the same content."""
        self._state: Any = walking[-RUNS:]

    def copy(self, walking: Any) -> Decodings:
        """The same decoded texts for a copy of the walk's state; its streams are empty by now."""
        twin = Decodings(self._automaton, self._depth, walking)
        twin._streams = {number: stream.copy() for number, stream in self._streams.items()}
        return twin

    @property
    def buffers(self) -> Buffers:
        """What the streams fill, for another text."""
        return Buffers(self._points, self._spans)

    def said(self, text: Any) -> list[Match]:
        """What the streams say after `runs.read` of `text`, from where that had to stop."""
        running = self._state
        read = int(running[streams.READ])
        matches: list[Match] = []
        while read < len(text):
            self._make_room()
            read = runs.read_runs(
                text, read, running, self._points, self._spans, self._automaton.begins
            )
            matches += self._empty()
        held = [stream.live for stream in self._streams.values()]
        running[streams.HELD] = min((live + 1 for live in held if live is not None), default=0)
        runs.settle_runs(running, self._automaton.begins)
        return matches

    @property
    def live(self) -> int:
        """The earliest raw position that these texts hold, after `said`."""
        return int(self._state[streams.LIVE])

    @property
    def begun(self) -> int:
        """The earliest raw position of anything under way in them, after `said`."""
        return int(self._state[streams.BEGUN])

    def flush(self) -> list[Match]:
        """The end of the text ends every run."""
        self._make_room()
        runs.finish_runs(self._state, self._points, self._spans)
        matches = self._empty()
        for stream in self._streams.values():
            matches += stream.flush()
        return matches

    def _make_room(self) -> None:
        if not self._points.shape[1]:
            self._points = np.empty((streams.STREAMS, streams.CAPACITY), dtype=np.uint32)
            self._spans = np.empty((streams.STREAMS, streams.CAPACITY, 2), dtype=np.int64)
            self._state[streams.ROOM] = streams.CAPACITY

    def _empty(self) -> list[Match]:
        """Let the scanners read what the streams hold."""
        matches: list[Match] = []
        for number in range(streams.STREAMS):
            field = streams.HEADER + number * streams.FIELDS + streams.COUNT
            count = int(self._state[field])
            if count:
                self._state[field] = 0
                matches += self._stream(number).feed(
                    self._points[number, :count], self._spans[number, :count]
                )
        self._state[streams.ROOM] = self._points.shape[1]
        return matches

    def _stream(self, number: int) -> _Stream:
        if number not in self._streams:
            from guard.restrict.automaton import Scanner

            self._streams[number] = _Stream(Scanner(self._automaton, self._depth + 1))
        return self._streams[number]
