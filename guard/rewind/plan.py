"""Back to which token, and which token not to take again. Pure: no I/O.

Positions are code points of the answer's text, unless they are said to count tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

Ids = tuple[int, ...]

LOOK_AHEAD = 64  # code points after a match that are tokenised with it: its last word's tokens
_TRIES = 4  # token prefixes that are looked at, each at the cost of a call


@dataclass(frozen=True, slots=True)
class Prompt:
    """A tokenised prompt: its ids, what they say, and the model's context in tokens."""

    ids: Ids
    text: str
    context: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A place between two tokens: `tokens` of the lane's ids make `length` code points of text."""

    tokens: int
    length: int


@dataclass(slots=True)
class Known:
    """What is known of a lane: `ids` of the prompt and the answer, `marks` in rising order."""

    ids: Ids
    marks: list[Mark] = field(default_factory=list)

    def add(self, ids: Sequence[int], text_length: int) -> None:
        """Tokens have come, and with them the text is `text_length` long."""
        self.ids += tuple(ids)
        self.marks.append(Mark(len(self.ids), text_length))

    def before(self, cut: int) -> Iterator[int]:
        """Counts of tokens that may end at or before `cut`, the longest first."""
        places = (mark.tokens for mark in reversed(self.marks) if mark.length <= cut)
        yield from _first(places, len(self.ids))


@dataclass(frozen=True, slots=True)
class Shared:
    """An answer tokenised twice: with what follows the cut (`ids`), and only up to it."""

    ids: Ids
    common: int
    least: int  # tokens of the prompt

    def before(self, cut: int) -> Iterator[int]:
        """As in `Known`. What both have in common ends at or before the cut in either."""
        yield from _first(iter(range(self.common, self.least - 1, -1)), len(self.ids))


@dataclass(frozen=True, slots=True)
class Place:
    """Where the model is to go on: after `ids`, which make `length` code points of the answer;
    `offending` is the token that came next, `thrown` how many came."""

    ids: Ids
    length: int
    offending: int
    thrown: int = 0


def joined(prompt: Prompt, together: Ids, alone: Ids) -> Ids:
    """The ids of prompt and answer. `together` is both texts tokenised as one, which is right
    unless a token lies across the joint; then the answer's own tokens follow the prompt's."""
    if together[: len(prompt.ids)] == prompt.ids:
        return together
    return prompt.ids + alone


def shared(prompt: Prompt, full: Ids, cut: Ids) -> Shared:
    """What two tokenisations begin with in common."""
    common = 0
    for one, other in zip(full, cut, strict=False):
        if one != other:
            break
        common += 1
    return Shared(full, common, len(prompt.ids))


def length_of(decoded: str, prompt: Prompt, text: str, released: int, cut: int) -> int | None:
    """Code points of `text` that a decoded prefix makes with its prompt; None unless it is
    exactly a beginning of the text that ends from `released` up to `cut`."""
    if not decoded.startswith(prompt.text):
        return None
    length = len(decoded) - len(prompt.text)
    fits = released <= length <= cut and text.startswith(decoded[len(prompt.text) :])
    return length if fits else None


class Bans:
    """Tokens that were tried at a place and led to a match. They add up over rewinds."""

    def __init__(self) -> None:
        self._at: dict[Ids, set[int]] = {}

    def add(self, place: Place) -> frozenset[int] | None:
        """All that is banned at the place; None when its token already was: it has no effect."""
        banned = self._at.setdefault(place.ids, set())
        if place.offending in banned:
            return None
        banned.add(place.offending)
        return frozenset(banned)


def _first(counts: Iterator[int], below: int) -> Iterator[int]:
    """The first few that leave a token to ban."""
    left = _TRIES
    for count in counts:
        if count < below and left:
            left -= 1
            yield count
