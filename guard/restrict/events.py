"""What goes into hold-back and what comes out: events with text, and what becomes of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from guard.restrict.match import Match

P = TypeVar("P")


class Piece(NamedTuple):
    """Text that an event adds to one channel of one lane. `slot` names its place in the event.

    Pieces with the same slot that follow one another are the same text, read as part of several
    channels.
    """

    lane: int
    channel: Hashable
    text: str
    slot: Hashable = None

    def is_twin(self, following: Sequence[Piece]) -> bool:
        """Whether the piece that follows, if one does, is the same text."""
        return (
            bool(following)
            and self.slot is not None
            and (following[0].lane, following[0].slot) == (self.lane, self.slot)
        )


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


def shorten(keep: dict[Hashable, int], found: Iterable[tuple[Hashable, int]]) -> None:
    """Adds how much of each place stays; of pieces that name the same place the least counts."""
    for slot, length in found:
        keep[slot] = min(length, keep.get(slot, length))


Release = Forward[P] | Trim[P] | EndLane
