"""A request on its way through flow, the answer it gets, and the policy set it is judged by."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field

from guard.asked import Asked
from guard.detect import Detector
from guard.endpoint import Endpoint
from guard.enforcement import Enforcement
from guard.policy import Policy

JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way: what was asked, by whom, and the bytes to pass on.

    `flagged`: the policy that it fell under, where the model answers all the same; `path`: where
    the bytes go, when not to the endpoint's own.
    """

    id: str
    endpoint: Endpoint
    asked: Asked
    body: bytes
    key: str | None
    flagged: Policy | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes to the client. `body` is whole, or an iterator that must be closed."""

    status: int
    body: bytes | AsyncGenerator[bytes, None]
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    outcome: str = "served"
    close: Callable[[], None] | None = None  # always called once the answer is sent, or is not


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy set in force with its detectors. Swapped as one."""

    enforcement: Enforcement
    detector: Detector


def said_ourselves(call: Call, body: bytes, outcome: str) -> Answer:
    """An answer that is not the model's."""
    return Answer(200, body, EVENTS if call.asked.stream else JSON, outcome=outcome)
