"""Matches that begin at the end of one channel and end at the beginning of another.

Whoever reads an answer joins what is shown apart: the reasoning and the content, the content and a
tool call's arguments. So a copy of the scanner of a channel that stops inside a phrase, its *tail*,
reads on where another channel of the lane begins, until no phrase is under way any more that
began before: usually for one character. In JSON every string is such a beginning, a string inside
a string too, and what a string stops inside may go on in the next one that is no key.

Which channels belong together is told by their *phase*: thoughts, then what is said, then what
tools are told. Synchronous and without I/O, as everything beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from guard.restrict.automaton import Scanner
from guard.restrict.json_strings import CLOSES, KEY, OPENS, Mark, Strings
from guard.restrict.match import Match

Phase = Callable[[Hashable], int | None]
"""The phase of a channel, None for one that is no part of what is said (an id, a type)."""

THOUGHTS = 0  # the phase that is over once another has begun
MOST_TAILS = 8  # of a lane; the latest are kept, so that many channels do not cost their square
MOST_STRINGS = 4  # strings that are read as one text; of what is longer the latest are kept
FARTHEST = 256  # characters between two strings of a JSON text that are read as one


class Crossing(NamedTuple):
    """A match that begins in channel `tail`: its positions are those of that channel."""

    tail: Hashable
    match: Match


@dataclass(slots=True)
class Heard:
    """What a piece of text brought: matches that begin elsewhere, the tails that nothing joins to
    here, and whether one that does is to be held."""

    crossings: list[Crossing] = field(default_factory=list)
    passed: set[Hashable] = field(default_factory=set)
    waits: bool = False


class _Joint(NamedTuple):
    """A tail's scanner that reads on elsewhere; `switch` is where the tail ends, `shift` what its
    positions are short of the channel's, `level` that of the string that it reads."""

    tail: Hashable
    switch: int
    scanner: Scanner
    shift: int = 0
    level: int = 0

    @property
    def holds(self) -> bool:
        """Whether the tail has the beginning of what may be a match."""
        return self.scanner.live < self.switch

    def again(self, level: int) -> _Joint:
        """The same tail, to read a string of this level."""
        return self._replace(scanner=self.scanner.copy(), level=level)

    def crossings(self, found: list[Match]) -> Iterator[Crossing]:
        for match in found:
            if match.start < self.switch < match.end:
                start, end = match.start + self.shift, match.end + self.shift
                yield Crossing(self.tail, replace(match, start=start, end=end))


@dataclass(slots=True)
class _Json:
    """The strings of a JSON text.

    `own` reads those that are open, by level; `inside` are the joints that read on in them.
    `carried` are the tails of earlier strings, `away` characters back; `closed` those of the last
    one, which count once it is known for a `value`, and so does what it did not go on with
    (`passed`): a key says nothing, and the string after it may go on.
    """

    strings: Strings = field(default_factory=Strings)
    own: dict[int, _Joint] = field(default_factory=dict)
    inside: list[_Joint] = field(default_factory=list)
    closed: list[_Joint] = field(default_factory=list)
    carried: list[_Joint] = field(default_factory=list)
    passed: set[Hashable] = field(default_factory=set)
    value: bool = False
    away: int = 0

    def settle(self) -> set[Hashable]:
        """Another string opens: that before it was no key. Returns the tails that it passed."""
        passed = self.passed if self.value else set()
        if self.value:
            self.carried, self.away = self.closed[-MOST_STRINGS:], 0
        self.closed, self.value, self.passed = [], False, set()
        return passed

    def move(self, characters: int) -> None:
        """What was carried so far is not carried farther than that."""
        self.away += characters
        if self.away > FARTHEST:
            self.carried = []


@dataclass(slots=True)
class _Reading:
    """A channel as the beginning of texts: `raw` joints read all of it, others a string of it."""

    phase: int | None
    begun: bool = False
    json: _Json | None = None
    raw: list[_Joint] = field(default_factory=list)

    @property
    def joints(self) -> Iterator[_Joint]:
        """Everything that reads on."""
        yield from self.raw
        if self.json is not None:
            yield from self.json.inside
            yield from self.json.closed
            yield from self.json.carried

    @property
    def inner_holds(self) -> bool:
        """Whether a string inside a string stops inside a phrase, when its quotation mark may come:
        to who reads all of the channel the backslashes before that have ended it."""
        scanners = () if self.json is None else [own.scanner for own in self.json.own.values()]
        return any(scanner.live < scanner.position for scanner in scanners[1:])


class Straddle:
    """The tails of one lane, and what reads on from them."""

    def __init__(self, phase: Phase) -> None:
        self._phase = phase
        # By channel: what it stops inside, as a whole and in the last string of its JSON.
        self._tails: dict[Hashable, list[_Joint]] = {}
        self._readings: dict[Hashable, _Reading] = {}

    def read(self, name: Hashable, text: str, scanner: Scanner) -> Heard:
        """Text of a channel, whose own `scanner` has read it too."""
        heard = Heard()
        reading = self._readings.get(name)
        if reading is None:
            reading = self._readings[name] = _Reading(self._phase(name))
        if reading.phase is None or not text:
            return heard
        if not reading.begun:
            self._begin(name, reading, text)
        if reading.raw:
            # Whoever reads JSON reads its strings: what its signs pass is not passed.
            passed = heard.passed if reading.json is None else set()
            reading.raw = self._read_on(reading.raw, text, heard, passed)
        if reading.json is not None:
            at = scanner.position - len(text)
            for mark in reading.json.strings.feed(text):
                self._read_string(name, reading.json, mark, at, scanner, heard)
        heard.waits = any(joint.holds for joint in reading.joints) or reading.inner_holds
        # A tail passed in one reading of it may go on in another.
        heard.passed -= {name, *(joint.tail for joint in reading.joints)}
        self._keep_tail(name, scanner, reading.json)
        return heard

    def close(self, name: Hashable, scanner: Scanner) -> tuple[list[Crossing], int | None]:
        """A channel's text is whole; `scanner` has not been told. Returns the matches that end in
        it, and the position from which another channel may go on with it, None for nowhere."""
        crossings: list[Crossing] = []
        if (reading := self._readings.pop(name, None)) is not None:
            crossings += self._flushed(reading)
        if name not in self._tails:
            return crossings, None
        joints = [joint._replace(scanner=joint.scanner.copy()) for joint in self._tails[name]]
        self._tails[name] = joints
        return crossings, min(joint.scanner.live + joint.shift for joint in joints)

    def end(self) -> list[tuple[Hashable, Crossing]]:
        """The lane's text is whole: the matches that end with it, and the channels they end in."""
        found = [
            (name, crossing)
            for name, reading in self._readings.items()
            for crossing in self._flushed(reading)
        ]
        self._tails.clear()
        self._readings.clear()
        return found

    def _begin(self, name: Hashable, reading: _Reading, text: str) -> None:
        """A channel's first text: white space may stand before the first brace of JSON."""
        if not reading.raw:
            reading.raw = self._joints(name)
        start = text.lstrip()[:1]
        reading.begun = bool(start)
        if start in ("{", "["):
            reading.json = _Json()

    def _joints(self, name: Hashable) -> list[_Joint]:
        return [
            joint._replace(scanner=joint.scanner.copy())
            for tail, joints in self._tails.items()
            if tail != name
            for joint in joints
        ]

    def _read_string(
        self, name: Hashable, json: _Json, mark: Mark, at: int, scanner: Scanner, heard: Heard
    ) -> None:
        """One step through a JSON text; `at` is where the piece that it is in begins."""
        if mark.kind == OPENS:
            heard.passed |= json.settle()
            json.inside += [joint.again(mark.level) for joint in json.carried]
            json.inside += [joint._replace(level=mark.level) for joint in self._joints(name)]
            json.own[mark.level] = _Joint(name, 0, scanner.fresh(), at + mark.at, mark.level)
        elif mark.kind == CLOSES:
            self._close_strings(name, json, mark.level, heard)
        elif mark.kind == KEY:
            json.closed, json.value, json.passed = [], False, set()
        else:
            json.move(len(mark.text))
            json.inside = self._read_on(json.inside, mark.text, heard, json.passed)
            for own in json.own.values():
                own.scanner.feed(mark.text)

    def _close_strings(self, name: Hashable, json: _Json, level: int, heard: Heard) -> None:
        """A string has ended, and with it those inside it."""
        ended = [joint for joint in json.inside if joint.level >= level]
        json.inside = [joint for joint in json.inside if joint.level < level]
        for joint in ended:
            heard.crossings += joint.crossings(joint.scanner.copy().flush())
            json.passed.add(joint.tail)
        whole = [joint for joint in ended if joint.tail == name]
        for inner in [own for own in json.own if own >= level]:
            own = json.own.pop(inner)
            end = own.scanner.position
            if own.scanner.begun < end:
                whole.append(own._replace(switch=end))
        json.closed, json.value = whole, True

    def _read_on(
        self, joints: list[_Joint], text: str, heard: Heard, passed: set[Hashable]
    ) -> list[_Joint]:
        """The joints that still have something under way from before; the tails of the others are
        added to `passed`."""
        left = []
        for joint in joints:
            heard.crossings += joint.crossings(joint.scanner.feed(text))
            if joint.scanner.begun < joint.switch:
                left.append(joint)
            else:
                passed.add(joint.tail)
        return left

    def _keep_tail(self, name: Hashable, scanner: Scanner, json: _Json | None) -> None:
        whole = _Joint(name, scanner.position, scanner)
        strings = [] if json is None else [*json.carried, *json.closed]
        last = [joint for joint in strings if joint.tail == name]
        joints = [one for one in (whole, *last) if one.scanner.begun < one.switch]
        self._tails.pop(name, None)
        if joints:
            self._tails[name] = joints
            if len(self._tails) > MOST_TAILS:
                self._tails.pop(next(iter(self._tails)))

    def _flushed(self, reading: _Reading) -> Iterator[Crossing]:
        for joint in reading.joints:
            yield from joint.crossings(joint.scanner.flush())
