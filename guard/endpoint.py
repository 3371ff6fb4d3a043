"""What flow needs to know of an endpoint and of its output filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from guard.asked import Asked
from guard.enforcement import Binding
from guard.errors import GuardError, UpstreamError
from guard.policy import Policy
from guard.restrict import Meant, Question
from guard.rewind.watch import Watch
from guard.treatments import Answers


class Findings(Protocol):
    """What an output filter did to one answer."""

    cut: list[str]
    meaning: dict[str, float]
    shadowed: set[str]
    stripped: int
    most_held: int


class Filter(Protocol):
    """The output filter of one answer: whole, or fed piece by piece."""

    findings: Any
    failure: UpstreamError | None
    watch: Watch | None

    @property
    def ended(self) -> bool: ...

    @property
    def cut_short(self) -> bool: ...

    def whole(self, body: bytes) -> bytes: ...

    def feed(self, chunk: bytes) -> bytes: ...

    def flush(self) -> bytes: ...

    def end_filtered(self) -> bytes: ...

    def give_in(self, lane: int) -> bytes: ...

    def error_events(self, error: GuardError) -> bytes: ...

    def questions(self) -> list[Question]: ...

    def settle(self, said: Sequence[Meant | None]) -> bytes: ...


class Endpoint(Answers, Protocol):
    """What flow needs to know of an endpoint."""

    name: str
    path: str
    steerable: bool  # takes the engine plugin's arguments

    @property
    def asks(self) -> Endpoint:
        """Where the model is asked in words of our own."""

    def filter(self, binding: Binding, asked: Asked, flagged: Policy | None = None) -> Filter: ...

    def error_events(self, error: GuardError) -> bytes: ...

    def upstream_error(self, body: bytes, status: int, binding: Binding) -> bytes: ...
