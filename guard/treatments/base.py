"""What a treatment needs of an endpoint, and what every treatment offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from guard.asked import Asked
from guard.policy import Policy

Finish = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True, slots=True)
class Told:
    """The text of one lane of an answer of our own, and how it ended."""

    text: str
    finish: Finish = "content_filter"


class Answers(Protocol):
    """How an endpoint words an answer of our own."""

    def told(self, asked: Asked, said: Sequence[Told], tokens: int) -> bytes:
        """The whole answer, or all events of the stream: a text for each lane, `tokens` in all."""

    def refusal(self, asked: Asked, message: str) -> bytes: ...

    def refusal_stream(self, asked: Asked, message: str) -> list[bytes]: ...


@dataclass(frozen=True, slots=True)
class Said:
    """An answer of our own: the whole of it, or all events of the stream."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Asks:
    """The model answers after all, asked with this request; the output filter reads it."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Reconsiders:
    """The model is asked in other words, which have to be found first (`guard/reasoning`)."""


@dataclass(frozen=True, slots=True)
class Reroutes:
    """Another model answers the request (`guard/rerouting.py`)."""


class Treatment(Protocol):
    """What happens to a flagged request instead of its upstream call."""

    action: str

    def treat(
        self, answers: Answers, asked: Asked, body: bytes, policy: Policy
    ) -> Said | Asks | Reconsiders | Reroutes:
        """`body` is the request as the client sent it."""
