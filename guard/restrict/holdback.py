"""Stream hold-back: whole events wait exactly as long as a live match touches them.

An answer is a sequence of events. Each event carries *pieces*: text for a channel of a lane (a lane
is one choice; its channels are the content, the reasoning, each tool call's arguments, ...). An
event leaves untouched as soon as every piece in it lies before its channel's live point, in order
within its lanes. When a channel completes a match its lane ends: events before the match leave,
the one in which it begins is trimmed, the rest are dropped.

Synchronous and without I/O: `feed`, then `flush`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from guard.restrict.automaton import Match, PhraseAutomaton, Scanner
from guard.restrict.phrases import Phrase

P = TypeVar("P")

LEAD = 1024  # code points of a lead that are read: longer than any phrase


class Piece(NamedTuple):
    """Text that an event adds to one channel of one lane. `slot` names its place in the event."""

    lane: int
    channel: Hashable
    text: str
    slot: Hashable = None


class Event(NamedTuple, Generic[P]):
    """One upstream event: what is forwarded (`payload`), and what it says of which lanes.

    An event without lanes (usage, a comment, the end mark) waits for all that came before it.
    `ends` are the lanes whose last text this event brings, `closes` the channels, of lanes that go
    on, for which it does: a text that is known to be whole makes nothing wait for more of it.
    """

    payload: P
    lanes: tuple[int, ...] = ()
    pieces: tuple[Piece, ...] = ()
    ends: tuple[int, ...] = ()
    closes: tuple[tuple[int, Hashable], ...] = ()


class Forward(NamedTuple, Generic[P]):
    """Send the event as it came."""

    event: Event[P]


@dataclass(frozen=True, slots=True)
class Trim(Generic[P]):
    """Send the event without its `dropped` lanes. `closed` lanes end in it: of their pieces only
    `keep[slot]` code points stay, where a slot is named, and their own ending is taken out."""

    event: Event[P]
    dropped: frozenset[int]
    closed: frozenset[int]
    keep: dict[Hashable, int]


@dataclass(frozen=True, slots=True)
class EndLane:
    """Close the lane: its answer ends here because of `match`, found in `channel`."""

    lane: int
    match: Match
    channel: Hashable = None

    @property
    def policies(self) -> list[str]:
        """The policies that forbid the match, in order of their names."""
        return sorted({phrase.policy for phrase in self.match.phrases})


Release = Forward[P] | Trim[P] | EndLane


@dataclass(slots=True)
class _Channel:
    """Offsets count code points from the start of the lead, where the channel has one."""

    scanner: Scanner
    lead: int = 0  # code points of the lead
    released: int = 0  # code points that have left


@dataclass(slots=True)
class _Cut:
    """Where a lane ends: for each channel with a match the code-point offset at which it begins.
    The lane ends in the first event that has one of them."""

    offsets: dict[Hashable, int]
    match: Match
    told: bool = False


@dataclass(slots=True)
class _Held(Generic[P]):
    event: Event[P]
    spans: list[tuple[Piece, int, int]] = field(default_factory=list)  # piece, start, end
    unread: list[Piece] = field(default_factory=list)  # what follows a cut in the same event


class HoldBack(Generic[P]):
    """The state machine for one answer.

    `exempt` says of a phrase that it may appear (the client supplied it, and its policy's scope is
    parametric). `leads` is the text that stands right before a lane's answer: a match may begin in
    it, and is then cut at the answer's start.
    """

    def __init__(
        self,
        automaton: PhraseAutomaton,
        exempt: Callable[[Phrase], bool] | None = None,
        leads: Mapping[int, str] | None = None,
    ) -> None:
        self._automaton = automaton
        self._exempt = exempt
        self._leads = leads or {}
        self._channels: dict[tuple[int, Hashable], _Channel] = {}
        self._held: deque[_Held[P]] = deque()
        self._cuts: dict[int, _Cut] = {}
        self._seen: set[int] = set()

    @property
    def held(self) -> int:
        """Events waiting."""
        return len(self._held)

    @property
    def cut_lanes(self) -> Collection[int]:
        """Lanes that a match has ended."""
        return self._cuts.keys()

    def feed(self, event: Event[P]) -> list[Release[P]]:
        """Take the next upstream event; returns what may leave now."""
        held = self._scan(event)
        if not self._held and not self._cuts and self._is_free(held):
            self._mark_released(held)  # nearly every event: nothing waits, and it need not either
            return [Forward(event)]
        self._held.append(held)
        return self._drain()

    def _scan(self, event: Event[P]) -> _Held[P]:
        """Read an event's text."""
        held = _Held(event)
        self._seen.update(event.lanes)
        for piece in event.pieces:
            if piece.lane in self._cuts:
                held.unread.append(piece)
                continue
            channel = self._channel(piece.lane, piece.channel)
            start = channel.scanner.position
            matches = channel.scanner.feed(piece.text)
            if matches:
                self._judge(piece.lane, piece.channel, matches)
            held.spans.append((piece, start, start + len(piece.text)))
        for lane, name in event.closes:
            if lane not in self._cuts and (lane, name) in self._channels:
                self._judge(lane, name, self._channels[lane, name].scanner.flush())
        for lane in event.ends:
            self._end_of_text(lane)
        return held

    def _mark_released(self, held: _Held[P]) -> None:
        for piece, _, end in held.spans:
            self._channels[piece.lane, piece.channel].released = end

    def flush(self) -> list[Release[P]]:
        """The upstream is done: every channel ends here, nothing is held any longer."""
        for lane in sorted(self._seen):
            self._end_of_text(lane)
        return self._drain(final=True)

    def _channel(self, lane: int, name: Hashable) -> _Channel:
        key = (lane, name)
        if key not in self._channels:
            scanner = Scanner(self._automaton)
            scanner.feed(self._leads.get(lane, "")[-LEAD:])
            at = scanner.position
            self._channels[key] = _Channel(scanner, at, at)
        return self._channels[key]

    def _end_of_text(self, lane: int) -> None:
        for (owner, name), channel in self._channels.items():
            if owner == lane and lane not in self._cuts:
                self._judge(lane, name, channel.scanner.flush())

    def _judge(self, lane: int, name: Hashable, matches: list[Match]) -> None:
        if lane in self._cuts or (first := self._acted_on(lane, name, matches)) is None:
            return
        cut = self._cuts[lane] = _Cut({name: self._offset(lane, name, first)}, first)
        # The other channels end here too, and so does the wait for the end of a word in them.
        for owner, other in self._channels:
            if owner == lane and other != name:
                found = self._channels[lane, other].scanner.flush()
                if (match := self._acted_on(lane, other, found)) is not None:
                    cut.offsets[other] = self._offset(lane, other, match)

    def _acted_on(self, lane: int, name: Hashable, matches: list[Match]) -> Match | None:
        """The first of the matches that ends a lane."""
        lead = self._channels[lane, name].lead if matches else 0
        acting = [m for m in matches if m.end > lead and not self._exempted(m)]
        return min(acting, key=lambda match: match.start, default=None)

    def _offset(self, lane: int, name: Hashable, match: Match) -> int:
        return max(match.start, self._channels[lane, name].released)

    def _exempted(self, match: Match) -> bool:
        return self._exempt is not None and all(map(self._exempt, match.phrases))

    def _drain(self, *, final: bool = False) -> list[Release[P]]:
        released: list[Release[P]] = []
        blocked: set[int] = set()
        waiting: deque[_Held[P]] = deque()
        for held in self._held:
            lanes = held.event.lanes
            if lanes:
                free = blocked.isdisjoint(lanes) and (final or self._is_free(held))
            else:
                free = not waiting
            if free:
                self._release(held, released)
            else:
                waiting.append(held)
                blocked.update(lanes)
        self._held = waiting
        self._announce(released)
        return released

    def _is_free(self, held: _Held[P]) -> bool:
        for piece, _, end in held.spans:
            if piece.lane in self._cuts:
                continue
            if end > self._channels[piece.lane, piece.channel].scanner.live:
                return False
        return True

    def _release(self, held: _Held[P], released: list[Release[P]]) -> None:
        """Send one event, in whole or in part, and close the lanes whose cut lies in it."""
        keep: dict[Hashable, int] = {}
        dropped: set[int] = set()
        closed: list[int] = []
        for lane in held.event.lanes:
            cut = self._cuts.get(lane)
            if cut is None:
                continue
            if cut.told:
                dropped.add(lane)
                continue
            reached = {
                piece.slot: max(0, cut.offsets[piece.channel] - start)
                for piece, start, end in held.spans
                if piece.lane == lane and end > cut.offsets.get(piece.channel, end)
            }
            if reached or lane in held.event.ends:
                keep.update(reached)
                keep.update({piece.slot: 0 for piece in held.unread if piece.lane == lane})
                closed.append(lane)
                cut.told = True
        self._mark_released(held)
        if not dropped and not closed:
            released.append(Forward(held.event))
        elif not dropped.issuperset(held.event.lanes):
            released.append(Trim(held.event, frozenset(dropped), frozenset(closed), keep))
        released += [self._end(lane) for lane in closed]

    def _announce(self, released: list[Release[P]]) -> None:
        """End the lanes whose cut no held event carries: its text has left, or never came."""
        waiting = {lane for held in self._held for lane in held.event.lanes}
        for lane, cut in self._cuts.items():
            if not cut.told and lane not in waiting:
                cut.told = True
                released.append(self._end(lane))

    def _end(self, lane: int) -> EndLane:
        cut = self._cuts[lane]
        # Where several channels have a match, there is no one place to go on from.
        channel = next(iter(cut.offsets)) if len(cut.offsets) == 1 else None
        return EndLane(lane, cut.match, channel)
