"""Continuations in the shape of the answer that they continue. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from guard.api.sse import DONE, SSEDecoder, encode
from guard.rewind.fields import Json, Shape

_HEAD = ("id", "created", "model")


class Said(NamedTuple):
    """What a lane came to."""

    text: str
    finish_reason: str | None
    stop_reason: int | str | None


def chunk(shape: Shape, head: Mapping[str, Any], lane: int, said: Said) -> bytes:
    """An event of the first answer's stream; `head` is any event of it."""
    choice: Json = {"index": lane, **_nested(shape.chunk, said.text), "logprobs": None}
    choice["finish_reason"] = said.finish_reason
    if said.finish_reason is not None:
        choice["stop_reason"] = said.stop_reason
    return encode(orjson.dumps({**_begun(shape, head), "choices": [choice]}))


def usage_chunk(shape: Shape, head: Mapping[str, Any], usage: Mapping[str, int]) -> bytes:
    """The event that ends a stream whose client wants usage."""
    return encode(orjson.dumps({**_begun(shape, head), "choices": [], "usage": usage}))


def usage(prompt: int, completion: int) -> dict[str, int]:
    """Token counts."""
    return {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
    }


def gathered(shape: Shape, events: bytes) -> Said:
    """What the events of one lane say together."""
    said = Said("", None, None)
    for block in SSEDecoder().feed(events):
        if block.data is None or block.data == DONE:
            continue
        for choice in orjson.loads(block.data)["choices"]:
            value: Any = choice
            for key in shape.chunk:
                value = value.get(key) if isinstance(value, dict) else None
            said = Said(
                said.text + (value or ""),
                choice["finish_reason"] or said.finish_reason,
                choice.get("stop_reason"),
            )
    return said


def put(shape: Shape, choice: Json, said: Said) -> None:
    """Write what a lane came to into a choice of a whole answer."""
    holder = choice
    for key in shape.whole[:-1]:
        holder = holder[key]
    holder[shape.whole[-1]] = said.text
    choice["finish_reason"], choice["stop_reason"] = said.finish_reason, said.stop_reason


def _begun(shape: Shape, head: Mapping[str, Any]) -> Json:
    return {**{key: head[key] for key in _HEAD if key in head}, "object": shape.object}


def _nested(path: tuple[str, ...], text: str) -> Json:
    *outer, last = path
    made: Json = {last: text}
    for key in reversed(outer):
        made = {key: made}
    return made
