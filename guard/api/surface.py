"""A surface is a generating endpoint whose answers have `choices`: chat and completions.

How its requests are read and its answers written; one base serves both.
"""

from __future__ import annotations

import time
import uuid
from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from guard.api.answer_fields import Fates, is_served
from guard.api.endpoint import DONE_BLOCK, Endpoint, Part, Shape, json_object
from guard.api.phases import thoughts_first
from guard.api.sse import DONE, Block, encode
from guard.asked import Asked
from guard.engine.dead_end import gave_up
from guard.errors import GenerationEnded, UpstreamError, UpstreamGarbage
from guard.messages import wrong_type
from guard.restrict import Event, Piece, Trim
from guard.treatments import Finish, Told

MAX_LANES = 128  # choices of one request; more is refused rather than filtered slowly


class Surface(Endpoint):
    """One endpoint whose answers have `choices`. Its events stand for themselves."""

    id_prefix: str
    whole_object: str
    chunk_object: str
    end = DONE_BLOCK

    def __init__(self) -> None:
        self._fates = self.fields.answer
        self._inside = self.fields.inside

    def shape(self, asked: Asked) -> Shape:
        return self

    @abstractmethod
    def said(self, text: str, *, chunk: bool) -> dict[str, Any]:
        """The part of a choice that holds `text`, as a whole answer or as a stream's chunk."""

    # --- reading answers -------------------------------------------------------------------

    def event(self, block: Block) -> Event[Part]:
        """One block of an upstream stream.

        Raises UpstreamGarbage for what is not an event of this endpoint, UpstreamError for an
        error that the model server reports inside its stream (whose text is not passed on).
        """
        if block.data is None:
            return Event(Part(block.raw))
        if block.data.strip() == DONE:
            return Event(Part(block.raw, done=True))
        answer = json_object(block.data)
        if "error" in answer and "choices" not in answer:
            kind = GenerationEnded if gave_up(answer) else UpstreamError
            raise kind("the model server reported an error")
        return self._parse(block.raw, answer)

    def whole(self, body: bytes) -> Event[Part]:
        """A whole upstream answer: every lane ends in it. Raises UpstreamGarbage."""
        event = self._parse(body, json_object(body))
        if not event.lanes:
            raise UpstreamGarbage("the model server's answer has no choices")
        return Event(event.payload, event.lanes, event.pieces, event.lanes)

    def _parse(self, raw: bytes, answer: dict[str, Any]) -> Event[Part]:
        choices = answer.get("choices")
        if not isinstance(choices, list):
            raise UpstreamGarbage("the model server's answer has no list of choices")
        pieces: list[Piece] = []
        lanes: list[int] = []
        ends: list[int] = []
        clean = self._is_served(answer)
        for place, choice in enumerate(choices):
            lane = choice.get("index") if isinstance(choice, dict) else None
            if type(lane) is not int:
                raise UpstreamGarbage("the model server's answer has a choice without an index")
            lanes.append(lane)
            if choice.get("finish_reason") is not None:
                ends.append(lane)
            clean &= _pieces(self._inside, lane, choice, (), (place,), pieces)
        part = Part(raw, answer, clean)
        return Event(part, tuple(lanes), thoughts_first(pieces), tuple(ends))

    def _is_served(self, answer: Mapping[str, Any]) -> bool:
        """Whether every top-level field is one that is served."""
        return all(
            not value or is_served(self._fates.get(key), value) for key, value in answer.items()
        )

    # --- rewriting answers -----------------------------------------------------------------

    def bare(self, block: Block) -> Block:
        """The block without comments and names."""
        return Block(b"" if block.data is None else encode(block.data), block.data)

    def forwarded(self, part: Part) -> bytes:
        """An event as it came."""
        return part.raw

    def stripped_block(self, part: Part) -> bytes:
        """A stream's event without the fields that are not served."""
        return encode(orjson.dumps(self._strip(part.answer or {})))

    def stripped_whole(self, part: Part) -> bytes:
        """A whole answer without the fields that are not served."""
        return orjson.dumps(self._strip(part.answer or {}))

    def trimmed_block(self, trim: Trim[Part]) -> bytes:
        """A stream's event after trimming; the closed lanes' end follows in `lane_end`."""
        return encode(orjson.dumps(self._trimmed(trim, None, partial(self.said, chunk=True))))

    def trimmed_whole(self, trim: Trim[Part]) -> bytes:
        """A whole answer after trimming: the closed lanes end with `content_filter`."""
        return orjson.dumps(self._trimmed(trim, "content_filter", partial(self.said, chunk=False)))

    def _strip(self, answer: dict[str, Any]) -> dict[str, Any]:
        return self.fields.stripped(answer, self._fates)

    def _trimmed(
        self, trim: Trim[Part], finish: str | None, said: Callable[[str], dict[str, Any]]
    ) -> dict[str, Any]:
        answer = self._strip(trim.event.payload.answer or {})
        kept = []
        for place, choice in enumerate(answer["choices"]):
            lane = choice["index"]
            if lane in trim.closed:
                kept.append({**_shortened(choice, place, trim, said), "finish_reason": finish})
            elif lane not in trim.dropped:
                kept.append(choice)
        return {**answer, "choices": kept}

    def lane_end(
        self, lane: int, template: Mapping[str, Any], finish: Finish = "content_filter"
    ) -> bytes:
        """The event that ends a lane of our own making; `template` is any earlier event."""
        choice = {"index": lane, **self.said("", chunk=True), "logprobs": None}
        choice["finish_reason"] = finish
        head = {key: template[key] for key in ("id", "created", "model") if key in template}
        return encode(orjson.dumps({**head, "object": self.chunk_object, "choices": [choice]}))

    # --- our own answers -------------------------------------------------------------------

    def told(self, asked: Asked, said: Sequence[Told], tokens: int) -> bytes:
        """An answer of our own: a text for each lane, `tokens` in all."""
        if asked.stream:
            return b"".join(self._told_stream(asked, said, tokens))
        choices = [
            {
                "index": lane,
                **self.said(told.text, chunk=False),
                "logprobs": None,
                "finish_reason": told.finish,
                "stop_reason": None,
            }
            for lane, told in enumerate(said)
        ]
        head = self._head(asked, self.whole_object)
        return orjson.dumps({**head, "choices": choices, "usage": _usage(tokens)})

    def refusal(self, asked: Asked, message: str) -> bytes:
        """A whole answer that refuses."""
        return self.told(replace(asked, stream=False), [Told(message)] * asked.lanes, 0)

    def refusal_stream(self, asked: Asked, message: str) -> list[bytes]:
        """The same as a stream of events."""
        return self._told_stream(asked, [Told(message)] * asked.lanes, 0)

    def _told_stream(self, asked: Asked, said: Sequence[Told], tokens: int) -> list[bytes]:
        head = self._head(asked, self.chunk_object)
        blocks: list[bytes] = []
        for lane, told in enumerate(said):
            choice = {"index": lane, **self.said(told.text, chunk=True), "logprobs": None}
            blocks.append(
                encode(orjson.dumps({**head, "choices": [{**choice, "finish_reason": None}]}))
            )
            blocks.append(self.lane_end(lane, head, told.finish))
        if asked.include_usage:
            usage = {**head, "choices": [], "usage": _usage(tokens)}
            blocks.append(encode(orjson.dumps(usage)))
        return [*blocks, DONE_BLOCK]

    def _head(self, asked: Asked, kind: str) -> dict[str, Any]:
        return {
            "id": f"{self.id_prefix}-{uuid.uuid4().hex}",
            "object": kind,
            "created": int(time.time()),
            "model": asked.model,
        }


def _usage(tokens: int) -> dict[str, int]:
    """Of an answer of our own: the prompt that it was made from is not the client's."""
    return {"prompt_tokens": 0, "total_tokens": tokens, "completion_tokens": tokens}


def _shortened(
    choice: dict[str, Any], place: int, trim: Trim[Part], said: Callable[[str], dict[str, Any]]
) -> dict[str, Any]:
    """A choice up to where its match begins."""
    if None in trim.keep:  # the match is in a key, which has no part that could stay
        return {"index": choice["index"], **said("")}
    for slot, length in trim.keep.items():
        if isinstance(slot, tuple) and slot[0] == place:
            _shorten(choice, slot[1:], length)
    for holder in ("message", "delta"):
        calls = choice[holder].get("tool_calls") if isinstance(choice.get(holder), dict) else None
        if isinstance(calls, list):  # a call that lost its name is none
            choice[holder]["tool_calls"] = [
                call
                for number, call in enumerate(calls)
                if (place, holder, "tool_calls", number, "function", "name") not in trim.keep
            ]
    return {key: None if key == "stop_reason" else value for key, value in choice.items()}


def _pieces(
    fates: Fates | None,
    lane: int,
    value: Any,
    channel: tuple[Hashable, ...],
    slot: tuple[Hashable, ...],
    found: list[Piece],
) -> bool:
    """Add every string below `value`; False when there are fields that are not served. A streamed
    list's items are told apart by their own index. Without `fates` the keys are text as well."""
    clean = True
    if type(value) is dict:
        for key, item in value.items():
            # Most fields of most events are null: they are passed over first.
            if not item:
                continue
            fate = "open" if fates is None else fates.get(key)
            if fate == "passed":
                clean &= is_served(fate, item)
                continue
            if fate is None or fate == "stripped":
                clean = False
                continue
            if fates is None:
                found.append(Piece(lane, (*channel, key, "key"), key))
            if type(item) is str:
                found.append(Piece(lane, (*channel, key), item, (*slot, key)))
            elif type(item) is dict or type(item) is list:
                below = None if fate == "open" else fates
                clean &= _pieces(below, lane, item, (*channel, key), (*slot, key), found)
        return clean
    for place, item in enumerate(value):
        index = item.get("index", place) if type(item) is dict else place
        if type(item) is str:
            found.append(Piece(lane, (*channel, index), item, (*slot, place)))
        elif type(item) is dict or type(item) is list:
            clean &= _pieces(fates, lane, item, (*channel, index), (*slot, place), found)
    return clean


def _shorten(choice: dict[str, Any], path: tuple[Any, ...], length: int) -> None:
    holder: Any = choice
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = holder[path[-1]][:length]


# --- reading requests --------------------------------------------------------------------------


def read_common(request: Mapping[str, Any]) -> tuple[str, bool, int, bool]:
    """`model`, `stream`, `n` and `stream_options.include_usage`, validated."""
    model = request.get("model")
    if not isinstance(model, str) or not model:
        raise wrong_type("model", "a non-empty string")
    stream = request.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise wrong_type("stream", "true or false")
    count = request.get("n")
    count = 1 if count is None else count
    if type(count) is not int or not 1 <= count <= MAX_LANES:
        raise wrong_type("n", f"an integer from 1 to {MAX_LANES}")
    options = request.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise wrong_type("stream_options", "an object")
    usage = bool(options.get("include_usage")) if options else False
    return model, bool(stream), count, usage
