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
from typing import Generic

from guard.restrict.automaton import PhraseAutomaton, Scanner
from guard.restrict.events import EndLane, Event, Forward, P, Piece, Release, Trim, shorten
from guard.restrict.held import Channel, Cut, Held, Refuted
from guard.restrict.match import Match
from guard.restrict.phrases import Phrase
from guard.restrict.straddle import THOUGHTS, Crossing, Heard, Phase, Straddle

LEAD = 1024  # code points of a lead that are read: longer than any phrase


class HoldBack(Generic[P]):
    """The state machine for one answer.

    `exempt` says of a phrase that it may appear (the client supplied it, and its policy's scope is
    parametric). `leads` is the text that stands right before a lane's answer: a match may begin in
    it, and is then cut at the answer's start. `phase` tells which channels of a lane are read as
    one text: a match that begins in one and ends in another counts, and what thoughts leave
    unfinished waits no longer once something else has been said.
    """

    def __init__(
        self,
        automaton: PhraseAutomaton,
        exempt: Callable[[Phrase], bool] | None = None,
        leads: Mapping[int, str] | None = None,
        phase: Phase | None = None,
    ) -> None:
        self._automaton = automaton
        self._phase = phase
        self._straddles: dict[int, Straddle] = {}
        self._exempt = exempt
        self._leads = leads or {}
        self._channels: dict[tuple[int, Hashable], Channel] = {}
        self._held: deque[Held[P]] = deque()
        self._cuts: dict[int, Cut] = {}
        self._seen: set[int] = set()
        self._number = 0

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

    def _scan(self, event: Event[P]) -> Held[P]:
        """Read an event's text."""
        self._number += 1
        held = Held(event, self._number)
        self._seen.update(event.lanes)
        found: dict[Hashable, list[Match]] = {}
        for place, piece in enumerate(event.pieces, start=1):
            if piece.lane in self._cuts:
                held.unread.append(piece)
                continue
            channel = self._channel(piece.lane, piece.channel)
            if piece.text:
                channel.go_on()
            start = channel.scanner.position
            ended = self._would_end(piece) if channel.scanner.undecided else None
            matches = channel.scanner.feed(piece.text)
            if ended is not None:
                channel.refuted.append(Refuted(ended, start, self._number))
            if self._phase is not None:
                self._read_across(piece, channel, self._phase)
            if matches:
                found[piece.channel] = matches
            # One text may be part of two channels: neither's match may hide the other's.
            if found and not piece.is_twin(event.pieces[place : place + 1]):
                self._judge(piece.lane, found)
                found = {}
            held.spans.append((piece, start, start + len(piece.text)))
        for lane, name in event.closes:
            if lane not in self._cuts and (lane, name) in self._channels:
                self._close(lane, name, self._channels[lane, name])
        for lane in event.ends:
            self._end_of_text(lane)
        return held

    def _read_across(self, piece: Piece, channel: Channel, phase: Phase) -> None:
        """What a piece of one channel says of the others of its lane."""
        straddle = self._straddles.get(piece.lane)
        if straddle is None:
            straddle = self._straddles[piece.lane] = Straddle(phase)
        heard: Heard = straddle.read(piece.channel, piece.text, channel.scanner)
        self._judge_crossings(piece.lane, piece.channel, heard.crossings)
        channel.waits = heard.waits
        for name in heard.passed:
            tail = self._channels[piece.lane, name]
            if tail.whole is not None:
                tail.whole = None
                continue
            over = phase(name) == THOUGHTS != phase(piece.channel)
            # A phrase that the end would complete goes on waiting for it.
            if over and self._at_its_end(piece.lane, name) is None:
                tail.passed = tail.scanner.position

    def _close(self, lane: int, name: Hashable, channel: Channel) -> None:
        """A channel's text is whole, and its lane goes on."""
        straddle = self._straddles.get(lane)
        if straddle is not None:
            crossings, channel.whole = straddle.close(name, channel.scanner)
            channel.waits = False
            self._judge_crossings(lane, name, crossings)
        self._judge(lane, {name: channel.scanner.flush()})

    def _mark_released(self, held: Held[P]) -> None:
        for piece, _, end in held.spans:
            channel = self._channels[piece.lane, piece.channel]
            channel.released = end
            if channel.refuted:
                channel.refuted = [one for one in channel.refuted if one.by > held.number]

    def flush(self) -> list[Release[P]]:
        """The upstream is done: every channel ends here, nothing is held any longer."""
        for lane in sorted(self._seen):
            self._end_of_text(lane)
        return self._drain(final=True)

    def _channel(self, lane: int, name: Hashable) -> Channel:
        key = (lane, name)
        if key not in self._channels:
            scanner = Scanner(self._automaton)
            scanner.feed(self._leads.get(lane, "")[-LEAD:])
            at = scanner.position
            self._channels[key] = Channel(scanner, at, at)
        return self._channels[key]

    def _end_of_text(self, lane: int) -> None:
        if (straddle := self._straddles.pop(lane, None)) is not None:
            for name, crossing in straddle.end():
                self._judge_crossings(lane, name, [crossing])
        for (owner, name), channel in self._channels.items():
            if owner == lane and lane not in self._cuts:
                if channel.scanner.undecided or channel.scanner.begun < channel.scanner.position:
                    channel.before_end = channel.scanner.copy()
                self._judge(lane, {name: channel.scanner.flush()})
                channel.whole, channel.waits = None, False

    def _judge(self, lane: int, found: Mapping[Hashable, list[Match]]) -> None:
        """Matches by the channel that they lie in."""
        if lane in self._cuts:
            return
        firsts = {
            name: first
            for name, matches in found.items()
            if (first := self._acted_on(lane, name, matches)) is not None
        }
        if firsts:
            offsets = {name: self._offset(lane, name, first) for name, first in firsts.items()}
            self._cut(lane, offsets, next(iter(firsts.values())))

    def _judge_crossings(self, lane: int, name: Hashable, crossings: list[Crossing]) -> None:
        """Matches that begin in other channels of the lane and end in this one."""
        acting = [c for c in crossings if not self._exempted(c.match)]
        if lane in self._cuts or not acting:
            return
        tail, match = min(acting, key=lambda crossing: crossing.match.start)
        ended = self._at_its_end(lane, tail)
        if ended is not None and ended.start < match.start:
            match = ended
        # Nothing of this channel that has not left may: it goes on with the match.
        offsets = {name: self._channels[lane, name].released}
        offsets[tail] = self._offset(lane, tail, match)
        self._cut(lane, offsets, match)

    def _at_its_end(self, lane: int, name: Hashable) -> Match | None:
        """The match that a channel would have if it ended here."""
        scanner = self._channels[lane, name].scanner
        return self._acted_on(lane, name, scanner.copy().flush())

    def _would_end(self, piece: Piece) -> Match | None:
        """The match that the piece's channel would have if it ended before it, or with it left out;
        None for a piece that changes nothing."""
        return self._at_its_end(piece.lane, piece.channel) if piece.text else None

    def _cut(self, lane: int, offsets: dict[Hashable, int], match: Match) -> None:
        """End a lane."""
        cut = self._cuts[lane] = Cut(offsets, match)
        # The other channels end here too, and so does the wait for the end of a word in them.
        for owner, other in self._channels:
            if owner == lane and other not in offsets:
                found = self._channels[lane, other].scanner.flush()
                if (own := self._acted_on(lane, other, found)) is not None:
                    cut.offsets[other] = self._offset(lane, other, own)
        self._unrefuted(lane, cut)

    def _unrefuted(self, lane: int, cut: Cut) -> None:
        """What refuted a match may be dropped with what follows a cut: it is one after all."""
        found = [
            (name, one)
            for (owner, name), channel in self._channels.items()
            if owner == lane
            for one in channel.refuted
        ]
        while True:
            last = self._last_of(lane, cut)
            lost = [
                (name, one)
                for name, one in found
                if one.by > last and one.match.start < cut.offsets.get(name, one.end + 1)
            ]
            for name, one in lost:
                at = self._offset(lane, name, one.match)
                cut.offsets[name] = min(at, cut.offsets.get(name, at))
            found = [pair for pair in found if pair not in lost]
            if not lost:
                return

    def _last_of(self, lane: int, cut: Cut) -> int:
        """The number of the event in which a cut lane ends; that of the event being read when no
        earlier one reaches the cut."""
        for held in self._held:
            for piece, _, end in held.spans:
                if piece.lane == lane and end > cut.offsets.get(piece.channel, end):
                    return held.number
        return self._number

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
        waiting = deque() if final else self._waiting()
        stay = {held.number for held in waiting}
        for held in self._held:
            if held.number not in stay:
                self._release(held, released)
        self._held = waiting
        self._announce(released)
        return released

    def _waiting(self) -> deque[Held[P]]:
        """The events that stay, in order within their lanes."""
        tied: set[int] = set()
        while True:
            blocked: set[int] = set()
            waiting: deque[Held[P]] = deque()
            for held in self._held:
                lanes = held.event.lanes
                if lanes:
                    free = blocked.isdisjoint(lanes) and held.number not in tied
                    free = free and self._is_free(held)
                else:
                    free = not waiting
                if not free:
                    waiting.append(held)
                    blocked.update(lanes)
            more = self._tied({held.number for held in waiting})
            if more <= tied:
                return waiting
            tied |= more

    def _tied(self, waiting: set[int]) -> set[int]:
        """Events with the end of a match that an event which waits refutes: they leave together."""
        if not waiting:
            return set()
        open_ = {
            (key, one.end)
            for key, channel in self._channels.items()
            if key[0] not in self._cuts
            for one in channel.refuted
            if one.by in waiting
        }
        if not open_:
            return set()
        return {
            held.number
            for held in self._held
            for piece, _, end in held.spans
            if ((piece.lane, piece.channel), end) in open_
        }

    def _is_free(self, held: Held[P]) -> bool:
        for piece, _, end in held.spans:
            if piece.lane in self._cuts:
                continue
            if end > self._channels[piece.lane, piece.channel].free:
                return False
        return True

    def _release(self, held: Held[P], released: list[Release[P]]) -> None:
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
            reached = [
                (piece.slot, max(0, cut.offsets[piece.channel] - start))
                for piece, start, end in held.spans
                if piece.lane == lane and end > cut.offsets.get(piece.channel, end)
            ]
            if reached or lane in held.event.ends:
                shorten(keep, reached)
                for piece in held.unread:
                    if piece.lane == lane:
                        keep.setdefault(piece.slot, 0)
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
