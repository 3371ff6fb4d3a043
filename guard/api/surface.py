"""A surface is one generating endpoint: how its requests are read and its answers written.

Chat and completions share the shape of their answers (`choices`), so one base serves both.
"""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from guard.api.contract import Contract, contracts
from guard.api.errors import error_body, error_bytes
from guard.api.sse import DONE, Block, encode
from guard.asked import Asked
from guard.enforcement import Binding
from guard.engine.dead_end import gave_up
from guard.errors import GenerationEnded, GuardError, UpstreamError, UpstreamGarbage
from guard.messages import strings, wrong_type
from guard.restrict import Event, Piece, Trim

if TYPE_CHECKING:
    from guard.api.stream import AnswerFilter

MAX_LANES = 128  # choices of one request; more is refused rather than filtered slowly
# Enumerations of the protocol, not text of the model.
_NOT_TEXT = frozenset({"role", "type", "finish_reason", "object"})
# Top-level fields of an answer that are served; others are taken out, whatever they hold.
_SERVED = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier"}
)
# Keys of an answer that the protocol defines; any other key is text too.
_KEYS = frozenset(
    {
        "index", "message", "delta", "text", "content", "reasoning", "reasoning_content",
        "refusal", "tool_calls", "function_call", "function", "name", "arguments", "id",
        "annotations", "audio", "stop_reason", "logprobs", "finish_reason", "role", "type",
        "token_ids",
    }
)  # fmt: skip
# Fields of a choice that carry tokens past the text filter; requests for them are refused.
_UNFILTERED = ("logprobs", "token_ids", "prompt_token_ids", "prompt_logprobs", "routed_experts")

DONE_BLOCK = encode(DONE)


class Part(NamedTuple):
    """What an event carries: the bytes that came, and the JSON in them (None when there is none).

    `clean` is False when the JSON holds fields that are not served.
    """

    raw: bytes
    answer: dict[str, Any] | None = None
    clean: bool = True
    done: bool = False


class Surface(ABC):
    """One endpoint whose answers have `choices`."""

    name: str
    path: str
    id_prefix: str
    whole_object: str
    chunk_object: str
    steerable = True  # takes the arguments of the engine's plugin

    @property
    def contract(self) -> Contract:
        return contracts()[self.name]

    @abstractmethod
    def read(self, request: Mapping[str, Any]) -> Asked:
        """Validate what the guard relies on. Raises RequestError that names the field."""

    def other_texts(self, request: Mapping[str, Any], main: str) -> list[str]:
        """The text of every guarded field but the main one, one string a field."""
        return [
            "\n".join(strings(request[name]))
            for name in self.contract.guarded
            if name != main and request.get(name) is not None
        ]

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
        answer = _object(block.data)
        if "error" in answer and "choices" not in answer:
            kind = GenerationEnded if gave_up(answer) else UpstreamError
            raise kind("the model server reported an error")
        return self._parse(block.raw, answer)

    def whole(self, body: bytes) -> Event[Part]:
        """A whole upstream answer: every lane ends in it. Raises UpstreamGarbage."""
        event = self._parse(body, _object(body))
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
        for place, choice in enumerate(choices):
            lane = choice.get("index") if isinstance(choice, dict) else None
            if type(lane) is not int:
                raise UpstreamGarbage("the model server's answer has a choice without an index")
            lanes.append(lane)
            if choice.get("finish_reason") is not None:
                ends.append(lane)
            _pieces(lane, choice, (), (place,), pieces)
        part = Part(raw, answer, not _needs_stripping(answer))
        return Event(part, tuple(lanes), tuple(pieces), tuple(ends))

    # --- rewriting answers -----------------------------------------------------------------

    def stripped_block(self, part: Part) -> bytes:
        """A stream's event without the fields that are not served."""
        return encode(orjson.dumps(_strip(part.answer or {})))

    def stripped_whole(self, part: Part) -> bytes:
        """A whole answer without the fields that are not served."""
        return orjson.dumps(_strip(part.answer or {}))

    def trimmed_block(self, trim: Trim[Part]) -> bytes:
        """A stream's event after trimming; the closed lanes' end follows in `lane_end`."""
        return encode(orjson.dumps(_trimmed(trim, None, partial(self.said, chunk=True))))

    def trimmed_whole(self, trim: Trim[Part]) -> bytes:
        """A whole answer after trimming: the closed lanes end with `content_filter`."""
        return orjson.dumps(_trimmed(trim, "content_filter", partial(self.said, chunk=False)))

    def lane_end(self, lane: int, template: Mapping[str, Any]) -> bytes:
        """The event that ends a lane with `content_filter`; `template` is any earlier event."""
        choice = {"index": lane, **self.said("", chunk=True), "logprobs": None}
        choice["finish_reason"] = "content_filter"
        head = {key: template[key] for key in ("id", "created", "model") if key in template}
        return encode(orjson.dumps({**head, "object": self.chunk_object, "choices": [choice]}))

    def filter(self, binding: Binding, asked: Asked) -> AnswerFilter:
        """The output filter for one answer."""
        from guard.api.stream import AnswerFilter

        return AnswerFilter(self, binding, asked)

    def upstream_error(self, body: bytes, status: int, binding: Binding) -> bytes:
        """An upstream error in OpenAI's shape. Its text is passed on when it has that shape and
        nothing forbidden in it: engines quote the request in their errors."""
        try:
            error = orjson.loads(body)["error"]
            message, kind = error["message"], error["type"]
            code, param = error.get("code"), error.get("param")
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            error = None
        quoted = [] if error is None else list(strings(error))
        forbidden = any(binding.automaton.find_all(text) for text in quoted)
        if error is None or not isinstance(message, str) or forbidden:
            text = f"The model server answered with HTTP status {status}."
            return orjson.dumps(error_body(text, "upstream_error", "upstream_error", None))
        return orjson.dumps(error_body(message, kind, code, param))

    def error_events(self, error: GuardError) -> bytes:
        """How a stream ends that cannot go on."""
        return encode(error_bytes(error)[1]) + DONE_BLOCK

    # --- our own answers -------------------------------------------------------------------

    def refusal(self, asked: Asked, message: str) -> bytes:
        """A whole answer that refuses."""
        choices = [
            {
                "index": lane,
                **self.said(message, chunk=False),
                "logprobs": None,
                "finish_reason": "content_filter",
                "stop_reason": None,
            }
            for lane in range(asked.lanes)
        ]
        head = self._head(asked, self.whole_object)
        return orjson.dumps({**head, "choices": choices, "usage": dict(_NO_USAGE)})

    def refusal_stream(self, asked: Asked, message: str) -> list[bytes]:
        """The same as a stream of events."""
        head = self._head(asked, self.chunk_object)
        blocks: list[bytes] = []
        for lane in range(asked.lanes):
            choice = {"index": lane, **self.said(message, chunk=True), "logprobs": None}
            blocks.append(
                encode(orjson.dumps({**head, "choices": [{**choice, "finish_reason": None}]}))
            )
            blocks.append(self.lane_end(lane, head))
        if asked.include_usage:
            usage = {**head, "choices": [], "usage": dict(_NO_USAGE)}
            blocks.append(encode(orjson.dumps(usage)))
        return [*blocks, DONE_BLOCK]

    def _head(self, asked: Asked, kind: str) -> dict[str, Any]:
        return {
            "id": f"{self.id_prefix}-{uuid.uuid4().hex}",
            "object": kind,
            "created": int(time.time()),
            "model": asked.model,
        }


_NO_USAGE = {"prompt_tokens": 0, "total_tokens": 0, "completion_tokens": 0}


def _object(data: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise UpstreamGarbage("the model server sent something that is not JSON") from None
    if not isinstance(answer, dict):
        raise UpstreamGarbage("the model server sent something that is not a JSON object")
    return answer


def _needs_stripping(answer: Mapping[str, Any]) -> bool:
    if not answer.keys() <= _SERVED and any(
        answer[key] is not None for key in answer.keys() - _SERVED
    ):
        return True
    for choice in answer["choices"]:
        for key in _UNFILTERED:
            if choice.get(key) is not None:
                return True
    return False


def _trimmed(
    trim: Trim[Part], finish: str | None, said: Callable[[str], dict[str, Any]]
) -> dict[str, Any]:
    answer = _strip(trim.event.payload.answer or {})
    kept = []
    for place, choice in enumerate(answer["choices"]):
        lane = choice["index"]
        if lane in trim.closed:
            kept.append({**_shortened(choice, place, trim, said), "finish_reason": finish})
        elif lane not in trim.dropped:
            kept.append(choice)
    return {**answer, "choices": kept}


def _shortened(
    choice: dict[str, Any], place: int, trim: Trim[Part], said: Callable[[str], dict[str, Any]]
) -> dict[str, Any]:
    """A choice up to where its match begins."""
    if None in trim.keep:  # the match is in a key, which has no part that could stay
        return {"index": choice["index"], **said("")}
    for slot, length in trim.keep.items():
        if isinstance(slot, tuple) and slot[0] == place:
            _shorten(choice, slot[1:], length)
    return {key: None if key == "stop_reason" else value for key, value in choice.items()}


def _strip(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without fields that are not served."""
    served = {key: value for key, value in answer.items() if key in _SERVED or value is None}
    for choice in served.get("choices") or ():
        for key in _UNFILTERED:
            if choice.get(key) is not None:
                choice[key] = None
    return served


def _pieces(
    lane: int,
    value: Any,
    channel: tuple[Hashable, ...],
    slot: tuple[Hashable, ...],
    found: list[Piece],
) -> None:
    """Every string below `value`. A streamed list's items are told apart by their own index."""
    if isinstance(value, dict):
        for key, item in value.items():
            # Most fields of most events are null: they are passed over first.
            if item is None or key in _NOT_TEXT:
                continue
            if key not in _KEYS:
                found.append(Piece(lane, (*channel, key, "key"), key))
            if type(item) is str:
                if item:
                    found.append(Piece(lane, (*channel, key), item, (*slot, key)))
            elif type(item) is dict or type(item) is list:
                _pieces(lane, item, (*channel, key), (*slot, key), found)
        return
    for place, item in enumerate(value):
        index = item.get("index", place) if isinstance(item, dict) else place
        if isinstance(item, str):
            found.append(Piece(lane, (*channel, index), item, (*slot, place)))
        elif isinstance(item, (dict, list)):
            _pieces(lane, item, (*channel, index), (*slot, place), found)


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
