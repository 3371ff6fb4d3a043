"""What a treatment needs of an endpoint, and what every treatment offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from guard.asked import Asked
from guard.policy import Policy


class Answers(Protocol):
    """How an endpoint words an answer of our own."""

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


class Treatment(Protocol):
    """What happens to a flagged request instead of its upstream call."""

    action: str

    def treat(self, answers: Answers, asked: Asked, body: bytes, policy: Policy) -> Said | Asks:
        """`body` is the request as the client sent it."""
