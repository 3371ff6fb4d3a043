"""What an output filter keeps so that an answer can be taken back: its plain text, by lane, and
the lanes that wait to be continued. Pure: one answer, no I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from guard.restrict import EndLane, Event, Forward, Release, Trim
from guard.restrict.holdback import LEAD
from guard.rewind.fields import Recipe, Shape

_NOT_SAID = (("stop_reason",),)  # channels that are not part of what the model says


@dataclass(slots=True)
class Budget:
    """How often one answer may still be taken back: `allowed` by policy, `spent` by all."""

    allowed: Mapping[str, int]
    spent: int = 0

    def has_room(self, policies: Iterable[str]) -> bool:
        """Whether a match of these policies may be taken back: the smallest of them counts."""
        most = min((self.allowed.get(policy, 0) for policy in policies), default=0)
        return self.spent < most


@dataclass(slots=True)
class Waiting:
    """A lane that was cut and may go on. Positions are code points of the lane's own text.

    `releases` is how it ends if it does not: what its filter would have sent by now.
    """

    lane: int
    start: int
    end: int
    policies: list[str]
    releases: list[Release[Any]] = field(default_factory=list)


class Watch:
    """Beside the hold-back of one answer.

    `part`: the answer is a continuation, whose end mark is nobody's.
    """

    def __init__(
        self,
        shape: Shape,
        leads: Mapping[int, str],
        budget: Budget,
        recipe: Callable[[], Recipe | None],
        *,
        part: bool = False,
    ) -> None:
        self._plain = (shape.chunk, shape.whole)
        self._leads = leads
        self.budget = budget
        self.recipe = recipe
        self._part = part
        self._odd: set[int] = set()
        self._sent: defaultdict[int, int] = defaultdict(int)
        self.pieces: defaultdict[int, list[str]] = defaultdict(list)
        self.waiting: dict[int, Waiting] = {}
        self.tail: list[Event[Any]] = []

    def text(self, lane: int) -> str:
        """All that the model said in a lane, forbidden text too."""
        return "".join(self.pieces[lane])

    def sent(self, lane: int) -> int:
        """Code points of it that have left."""
        return self._sent[lane]

    def note(self, event: Event[Any]) -> None:
        """An event has come."""
        for piece in event.pieces:
            if piece.channel in self._plain:
                self.pieces[piece.lane].append(piece.text)
            elif piece.channel not in _NOT_SAID:
                self._odd.add(piece.lane)

    def set_aside(self, releases: list[Release[Any]]) -> list[Release[Any]]:
        """Of what may leave, what leaves now: the end of a lane that may go on waits, and so does
        what waits for all lanes."""
        for release in releases:
            if isinstance(release, EndLane) and _alone(release.lane, releases):
                self.keeps(release)
        now: list[Release[Any]] = []
        for release in releases:
            lanes = (release.lane,) if isinstance(release, EndLane) else release.event.lanes
            if len(lanes) == 1 and lanes[0] in self.waiting:
                self.waiting[lanes[0]].releases.append(release)
            elif isinstance(release, Forward) and not lanes and (self.waiting or self._part):
                self.tail.append(release.event)
            else:
                self._count(release)
                now.append(release)
        return now

    def keeps(self, end: EndLane) -> bool:
        """Whether a lane that ends may go on; it then waits."""
        may = (
            end.channel in self._plain
            and end.lane not in self._odd
            and self.budget.has_room(end.policies)
            and self.recipe() is not None
        )
        if may:
            lead = min(LEAD, len(self._leads.get(end.lane, "")))
            start, stop = end.match.start - lead, end.match.end - lead
            self.waiting[end.lane] = Waiting(end.lane, max(0, start), stop, end.policies)
        return may

    def _count(self, release: Release[Any]) -> None:
        if isinstance(release, EndLane):
            return
        gone = release.closed | release.dropped if isinstance(release, Trim) else ()
        for piece in release.event.pieces:
            if piece.channel in self._plain and piece.lane not in gone:
                self._sent[piece.lane] += len(piece.text)


def _alone(lane: int, releases: list[Release[Any]]) -> bool:
    """Whether what ends a lane says nothing of other lanes."""
    return all(
        isinstance(release, EndLane)
        or len(release.event.lanes) < 2
        or lane not in release.event.lanes
        for release in releases
    )
