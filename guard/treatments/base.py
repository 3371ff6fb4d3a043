"""What a treatment needs of an endpoint, and what every treatment offers."""

from __future__ import annotations

from typing import Protocol

from guard.asked import Asked
from guard.policy import Policy


class Answers(Protocol):
    """How an endpoint words an answer of our own."""

    def refusal(self, asked: Asked, message: str) -> bytes: ...

    def refusal_stream(self, asked: Asked, message: str) -> list[bytes]: ...


class Treatment(Protocol):
    """What happens to a flagged request instead of its upstream call."""

    action: str

    def body(self, answers: Answers, asked: Asked, policy: Policy) -> bytes: ...
