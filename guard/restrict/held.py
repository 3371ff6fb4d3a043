"""What hold-back remembers of one answer: its channels, the cuts of lanes, the events that wait."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple

from guard.restrict.automaton import Scanner
from guard.restrict.events import Event, P, Piece
from guard.restrict.match import Match


class Refuted(NamedTuple):
    """A match that there would have been had the channel ended at `end`; event `by` went on."""

    match: Match
    end: int
    by: int


@dataclass(slots=True)
class Channel:
    """Offsets count code points from the start of the lead, where the channel has one."""

    scanner: Scanner
    lead: int = 0  # code points of the lead
    released: int = 0  # code points that have left
    passed: int = 0  # up to here a phrase under way is over: the lane has moved on
    whole: int | None = None  # the text is whole, and from here another channel may go on with it
    waits: bool = False  # what has not left may go on with another channel's text
    refuted: list[Refuted] = field(default_factory=list)  # by text that has not left
    before_end: Scanner | None = None  # as it stood when its lane ended

    def go_on(self) -> None:
        """More text comes: what was taken for its end was none."""
        self.whole = None
        if self.before_end is not None:
            self.scanner, self.before_end = self.before_end, None

    @property
    def free(self) -> int:
        """What comes before this may leave."""
        if self.waits:
            return self.released
        free = max(self.scanner.live, self.passed)
        return free if self.whole is None else min(free, self.whole)


@dataclass(slots=True)
class Cut:
    """Where a lane ends: for each channel with a match the code-point offset at which it begins.
    The lane ends in the first event that has one of them."""

    offsets: dict[Hashable, int]
    match: Match
    told: bool = False


@dataclass(slots=True)
class Held(Generic[P]):
    event: Event[P]
    number: int  # events are numbered as they come
    spans: list[tuple[Piece, int, int]] = field(default_factory=list)  # piece, start, end
    unread: list[Piece] = field(default_factory=list)  # what follows a cut in the same event
