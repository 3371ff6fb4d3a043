"""What every guarded endpoint has: its contract, its reading of requests, its words for errors.

Each answer gets a `Shape`: how the events of this endpoint are read and rewritten. An endpoint
whose events stand for themselves is its own shape; one whose streams have a state makes a new
shape for every answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

from guard.api.answer_fields import AnswerTable, answer_tables
from guard.api.contract import Contract, contracts
from guard.api.errors import error_body, error_bytes
from guard.api.sse import DONE, Block, encode
from guard.asked import Asked
from guard.enforcement import Binding
from guard.errors import GuardError, UpstreamGarbage
from guard.messages import strings
from guard.policy import Policy
from guard.restrict import Event, Trim
from guard.treatments import Told

if TYPE_CHECKING:
    from guard.api.stream import AnswerFilter

DONE_BLOCK = encode(DONE)


class Part(NamedTuple):
    """What an event carries: the bytes that came, and the JSON in them (None when there is none).

    `clean` is False when the JSON holds fields that are not served.
    """

    raw: bytes
    answer: dict[str, Any] | None = None
    clean: bool = True
    done: bool = False


class Shape(Protocol):
    """How the answers of an endpoint are read and rewritten. `end` is what follows the last event
    of a stream in which every lane was cut."""

    end: bytes

    def event(self, block: Block) -> Event[Part]: ...

    def whole(self, body: bytes) -> Event[Part]: ...

    def bare(self, block: Block) -> Block: ...

    def forwarded(self, part: Part) -> bytes: ...

    def stripped_block(self, part: Part) -> bytes: ...

    def stripped_whole(self, part: Part) -> bytes: ...

    def trimmed_block(self, trim: Trim[Part]) -> bytes: ...

    def trimmed_whole(self, trim: Trim[Part]) -> bytes: ...

    def lane_end(self, lane: int, template: Mapping[str, Any]) -> bytes: ...

    def error_events(self, error: GuardError) -> bytes: ...


class Endpoint(ABC):
    """One path that clients may POST to."""

    name: str
    path: str
    steerable = True  # takes the arguments of the engine's plugin

    @property
    def asks(self) -> Endpoint:
        """Where the model is asked in words of our own: here, or where conversations are."""
        return self

    @property
    def contract(self) -> Contract:
        return contracts()[self.name]

    @property
    def fields(self) -> AnswerTable:
        return answer_tables()[self.name]

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
    def shape(self, asked: Asked) -> Shape:
        """How one answer is read and rewritten."""

    def filter(self, binding: Binding, asked: Asked, flagged: Policy | None = None) -> AnswerFilter:
        """The output filter for one answer; `flagged`: the policy that the request fell under."""
        from guard.api.stream import AnswerFilter

        return AnswerFilter(self.shape(asked), binding, asked, flagged)

    # --- errors ----------------------------------------------------------------------------

    def error(self, error: GuardError) -> tuple[int, bytes]:
        """The status and the body of an error."""
        return error_bytes(error)

    def error_events(self, error: GuardError) -> bytes:
        """How a stream ends that cannot go on."""
        return encode(error_bytes(error)[1]) + DONE_BLOCK

    def upstream_error(self, body: bytes, status: int, binding: Binding) -> bytes:
        """An upstream error in this endpoint's shape. Its text is passed on when it has a shape
        that we know and nothing forbidden in it: engines quote the request in their errors."""
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
            return self.shaped_error(text, "upstream_error", "upstream_error", None)
        return self.shaped_error(message, kind, code, param)

    def shaped_error(self, message: str, kind: Any, code: Any, param: Any) -> bytes:
        """The body of an error in this endpoint's shape."""
        return orjson.dumps(error_body(message, kind, code, param))

    # --- our own answers -------------------------------------------------------------------

    def told(self, asked: Asked, said: Sequence[Told], tokens: int) -> bytes:
        """An answer of our own: a text for each lane, `tokens` in all."""
        raise NotImplementedError(f"{self.name} has no answers in words")

    @abstractmethod
    def refusal(self, asked: Asked, message: str) -> bytes:
        """A whole answer that refuses."""

    @abstractmethod
    def refusal_stream(self, asked: Asked, message: str) -> list[bytes]:
        """The same as a stream of events."""


def json_object(data: bytes) -> dict[str, Any]:
    """The JSON object that the model server sent. Raises UpstreamGarbage."""
    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise UpstreamGarbage("the model server sent something that is not JSON") from None
    if not isinstance(answer, dict):
        raise UpstreamGarbage("the model server sent something that is not a JSON object")
    return answer
