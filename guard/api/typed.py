"""Answers whose streams are typed events: `/v1/responses` and `/v1/messages`.

An answer is one lane: it ends as a whole. Deltas of a text are one channel; texts of one kind that
follow one another are read as one, since clients join them, and each on its own too, since clients
also show them apart: joined, "P" and "Harry" or "Potter" and "y" are other words.
Copies of a text (`.done` events, the closing answer) are read again on their own, so nothing gets
out by differing from its deltas.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import orjson

from guard.api.answer_fields import AnswerTable
from guard.api.endpoint import Part, json_object
from guard.api.phases import told
from guard.api.sse import DONE, Block
from guard.errors import GuardError, UpstreamError, UpstreamGarbage
from guard.restrict import Event, Piece, Trim

LANE = 0


P = ParamSpec("P")
T = TypeVar("T")


def sane(method: Callable[P, T]) -> Callable[P, T]:
    """Turns what an answer of an odd structure makes a method raise into UpstreamGarbage."""

    @wraps(method)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except (TypeError, KeyError, IndexError, AttributeError):
            raise UpstreamGarbage("the model server's answer has an odd structure") from None

    return checked


def named(event: Mapping[str, Any]) -> bytes:
    """A server-sent event that carries its type as its name."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


class TypedShape(ABC):
    """One answer, whole or streamed. Subclasses say what the events mean."""

    end = b""
    holder: str  # the field of a whole answer that has its items or blocks
    ends: frozenset[str]  # types of the events with the last text of an answer
    failures: frozenset[str]  # types of the events by which the server reports an error

    def __init__(self, table: AnswerTable) -> None:
        self._table = table
        self._number = 0

    # --- what an endpoint says of its events -----------------------------------------------

    @abstractmethod
    def channel(self, event: Mapping[str, Any], path: tuple[Any, ...]) -> Hashable | None:
        """The channel of a streamed text at `path`; None for a text that is whole as it stands."""

    @abstractmethod
    def is_joined(self, channel: Hashable) -> bool:
        """Whether the channel may go on in a further text."""

    @abstractmethod
    def block(self, event: Mapping[str, Any]) -> Hashable:
        """Which of the texts that are shown apart a streamed text is part of."""

    @abstractmethod
    def block_ended(self, event: Mapping[str, Any]) -> Hashable | None:
        """The text that `event` is the end of, as `block` names it; None for other events."""

    @abstractmethod
    def closes(self, event: Mapping[str, Any]) -> tuple[Hashable, ...]:
        """The channels that go no further, now that `event` has come."""

    @abstractmethod
    def note(self, event: Mapping[str, Any]) -> None:
        """Keep what the end of a cut stream needs to know: `event` goes to the client."""

    @abstractmethod
    def delta_slot(self, event: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Where a delta has its text; None for an event that is not a delta."""

    @abstractmethod
    def closing(self) -> list[dict[str, Any]]:
        """The events that end a cut stream."""

    @abstractmethod
    def empty_answer(self) -> dict[str, Any]:
        """A cut answer without any text: the match was beside the items or blocks."""

    @abstractmethod
    def cut_answer(
        self,
        answer: dict[str, Any],
        path: tuple[Any, ...] | None,
        keep: Mapping[Hashable, int],
    ) -> dict[str, Any]:
        """A whole answer that ends in the text at `path`, or where it ends (None). `keep`: how many
        code points stay of each text that cannot stay whole; 0 for what was not read."""

    @abstractmethod
    def joined(self, answer: Mapping[str, Any], path: tuple[Any, ...]) -> Hashable | None:
        """The channel of a text of a whole answer that clients join to others; None for others."""

    @abstractmethod
    def error_events(self, error: GuardError) -> bytes:
        """How a stream ends that cannot go on."""

    # --- reading ---------------------------------------------------------------------------

    @sane
    def event(self, block: Block) -> Event[Part]:
        """One block of an upstream stream.

        Raises UpstreamGarbage for what is not an event of this endpoint, UpstreamError for an
        error that the model server reports inside its stream (whose text is not passed on).
        """
        if block.data is None:
            return Event(Part(block.raw))
        if block.data.strip() == DONE:
            return Event(Part(block.raw, done=True))
        event = json_object(block.data)
        kind = event.get("type")
        if kind in self.failures or (kind is None and "error" in event):
            raise UpstreamError("the model server reported an error")
        if not isinstance(kind, str) or not kind.isprintable():
            raise UpstreamGarbage("the model server sent an event without a type")
        found: list[tuple[tuple[Any, ...], str]] = []
        clean = self._table.read(event, self._table.event, (), found)
        self._number += 1
        pieces: list[Piece] = []
        closed: list[tuple[int, Hashable]] = [(LANE, channel) for channel in self.closes(event)]
        if (ended := self.block_ended(event)) is not None:
            closed.append((LANE, ("block", ended)))
        for place, (path, text) in enumerate(found):
            channel = self.channel(event, path)
            if channel is None:
                channel = (self._number, place)
                closed.append((LANE, channel))
            elif self.is_joined(channel):
                pieces.append(Piece(LANE, ("block", self.block(event)), text, path))
            pieces.append(Piece(LANE, channel, text, path))
        hash((tuple(closed), *(piece.channel for piece in pieces)))  # no odd structure in a name
        ends = (LANE,) if kind in self.ends else ()
        part = Part(block.raw, event, clean)
        return Event(part, (LANE,), tuple(pieces), ends, tuple(closed))

    @sane
    def whole(self, body: bytes) -> Event[Part]:
        """A whole upstream answer. Raises UpstreamGarbage."""
        answer = json_object(body)
        found: list[tuple[tuple[Any, ...], str]] = []
        clean = self._table.read(answer, self._table.answer, (), found)
        if not self.is_answer(answer):
            raise UpstreamGarbage("the model server's answer is not one of this endpoint")
        pieces: list[Piece] = []
        channels = [self.joined(answer, path) for path, _ in found]
        texts = Counter(channels)
        for place, (path, text) in enumerate(found):
            channel = channels[place]
            if channel is None:
                channel = ("alone", place, *told(path))
            elif texts[channel] > 1:
                pieces.append(Piece(LANE, ("block", place), text, path))
            pieces.append(Piece(LANE, channel, text, path))
        return Event(Part(body, answer, clean), (LANE,), tuple(pieces), (LANE,))

    @abstractmethod
    def is_answer(self, answer: Mapping[str, Any]) -> bool:
        """Whether a whole answer has what it must have."""

    # --- rewriting -------------------------------------------------------------------------

    def bare(self, block: Block) -> Block:
        """The block without comments and ids; its name is its type again."""
        if block.data is None or block.data.strip() == DONE:
            return Block(b"" if block.data is None else b"data: [DONE]\n\n", block.data)
        event = json_object(block.data)
        if not isinstance(event.get("type"), str):
            raise UpstreamGarbage("the model server sent an event without a type")
        return Block(named(event), block.data)

    @sane
    def forwarded(self, part: Part) -> bytes:
        """An event as it came."""
        if part.answer is not None:
            self.note(part.answer)
        return part.raw

    @sane
    def stripped_block(self, part: Part) -> bytes:
        """A stream's event without the fields that are not served."""
        event = self._table.stripped(part.answer or {}, self._table.event)
        self.note(event)
        return named(event)

    @sane
    def stripped_whole(self, part: Part) -> bytes:
        """A whole answer without the fields that are not served."""
        return orjson.dumps(self._table.stripped(part.answer or {}, self._table.answer))

    @sane
    def trimmed_block(self, trim: Trim[Part]) -> bytes:
        """The event in which the answer ends: a delta up to where the match begins, or nothing."""
        event = self._table.stripped(trim.event.payload.answer or {}, self._table.event)
        slot = self.delta_slot(event)
        # A match in anything but the delta's own text leaves nothing of the event.
        if slot is None or trim.keep.keys() != {slot} or not trim.keep[slot]:
            return b""
        holder: Any = event
        for key in slot[:-1]:
            holder = holder[key]
        holder[slot[-1]] = holder[slot[-1]][: trim.keep[slot]]
        self.note(event)
        return named(event)

    @sane
    def trimmed_whole(self, trim: Trim[Part]) -> bytes:
        """A whole answer up to where its first match begins."""
        answer = self._table.stripped(trim.event.payload.answer or {}, self._table.answer)
        paths: list[Any] = [p.slot for p in trim.event.pieces if p.slot in trim.keep]
        if paths and paths[0][0] != self.holder:
            return orjson.dumps(self.empty_answer())
        for path in paths:
            if path[0] != self.holder:
                answer[path[0]] = None  # beside the text, and not read any more
        return orjson.dumps(self.cut_answer(answer, paths[0] if paths else None, trim.keep))

    @sane
    def lane_end(self, lane: int, template: Mapping[str, Any]) -> bytes:
        """The events that end a cut stream."""
        return b"".join(map(named, self.closing()))
