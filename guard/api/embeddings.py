"""`/v1/embeddings`: texts in, vectors out.

A vector can be inverted to its text, and tells how near two texts are. So what is embedded goes
through the detectors like any prompt, and a flagged input gets an error: this protocol has no other
way to refuse. Vectors themselves have no words that could be filtered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from guard.api.endpoint import Endpoint, Part, Shape, json_object
from guard.api.sse import Block
from guard.api.surface import read_common
from guard.asked import Asked
from guard.errors import GuardError, RequestError, UpstreamGarbage
from guard.messages import Conversation, read_messages, wrong_type
from guard.restrict import Event, Trim


class Embeddings(Endpoint):
    """OpenAI's embeddings."""

    name = "embeddings"
    path = "/v1/embeddings"
    steerable = False

    def read(self, request: Mapping[str, Any]) -> Asked:
        model, _, _, _ = read_common(request)
        texts: list[str] = []
        spans: list[str] = []
        unreadable: str | None = None
        for name in ("input", "messages"):
            if request.get(name) is None:
                continue
            for conversation in _inputs(name, request[name]):
                texts += conversation.texts
                spans += conversation.spans
                unreadable = unreadable or conversation.unreadable
        if not texts and unreadable is None:
            raise wrong_type("input", "a string, or a non-empty list of strings")
        others = self.other_texts({**request, "messages": None}, "input")
        return Asked(
            model=model,
            stream=False,
            lanes=1,
            texts=(*texts, *others),
            spans=tuple(spans),
            unreadable=unreadable,
        )

    def shape(self, asked: Asked) -> Shape:
        return _Vectors(self)

    def refusal(self, asked: Asked, message: str) -> bytes:
        """Raises RequestError: a refusal is an error here, the same whichever rule it was."""
        raise RequestError(message, code="content_filter", param="input")

    def refusal_stream(self, asked: Asked, message: str) -> list[bytes]:
        """As `refusal`."""
        return [self.refusal(asked, message)]


def _inputs(name: str, value: Any) -> list[Conversation]:
    """What is embedded: texts, conversations, or token ids, which cannot be read."""
    if isinstance(value, str) and name == "input":
        value = [value]
    if not isinstance(value, list) or not value:
        raise wrong_type(name, "a string, or a non-empty list")
    if name == "input" and all(isinstance(item, str) for item in value):
        return [Conversation(tuple(value), (), None)]  # each is embedded on its own
    if all(isinstance(item, dict) for item in value):
        return [read_messages(value)]
    if all(isinstance(item, list) and item for item in value) and isinstance(value[0][0], dict):
        return [read_messages(item) for item in value]
    if name == "input" and all(_is_tokens(item) for item in value):
        return [Conversation((), (), "token ids")]
    raise wrong_type(name, "a string, or a list of strings only")


def _is_tokens(item: Any) -> bool:
    return type(item) is int or (isinstance(item, list) and all(type(t) is int for t in item))


class _Vectors:
    """A whole answer without text. There are no streams."""

    end = b""

    def __init__(self, endpoint: Embeddings) -> None:
        self._endpoint = endpoint
        self._table = endpoint.fields

    def whole(self, body: bytes) -> Event[Part]:
        """Raises UpstreamGarbage for what is not a list of vectors."""
        answer = json_object(body)
        data = answer.get("data")
        if not isinstance(data, list) or not all(_is_vector(item) for item in data):
            raise UpstreamGarbage("the model server's answer has no vectors")
        clean = self._table.read(answer, self._table.answer, (), [])
        return Event(Part(body, answer, clean), (0,), (), (0,))

    def stripped_whole(self, part: Part) -> bytes:
        return orjson.dumps(self._table.stripped(part.answer or {}, self._table.answer))

    def error_events(self, error: GuardError) -> bytes:
        return self._endpoint.error_events(error)

    def event(self, block: Block) -> Event[Part]:
        raise UpstreamGarbage("the model server sent a stream of vectors")

    def bare(self, block: Block) -> Block:
        return block

    def forwarded(self, part: Part) -> bytes:
        return part.raw

    def stripped_block(self, part: Part) -> bytes:
        return part.raw

    def trimmed_block(self, trim: Trim[Part]) -> bytes:
        return b""

    def trimmed_whole(self, trim: Trim[Part]) -> bytes:
        return self.stripped_whole(trim.event.payload)

    def lane_end(self, lane: int, template: Mapping[str, Any]) -> bytes:
        return b""


def _is_vector(item: Any) -> bool:
    """Numbers, or base64 of them: bytes that could be words are not."""
    vector = item.get("embedding") if isinstance(item, dict) else None
    if isinstance(vector, str):
        return len(vector) % 4 == 0 and vector.isascii()
    return isinstance(vector, list) and set(map(type, vector)) <= {float, int}
