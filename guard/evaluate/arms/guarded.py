"""`guard serve`, started when its arm is first asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from guard.demo.process import free_port
from guard.demo.serving import Guard
from guard.errors import EvaluateError
from guard.evaluate.arms.base import Asked, Reply
from guard.evaluate.arms.endpoint import Endpoint
from guard.evaluate.provenance import serving_code
from guard.evaluate.rows import content_hash
from guard.policy import load_policy_set

START = 300.0  # seconds until a guard has its detectors, and the engine its policies
_POLL = 0.1


class Turns:
    """One guard of a comparison runs at a time, since each holds an encoder in memory."""

    def __init__(self) -> None:
        self._running: Guard | None = None

    def take(self, guard: Guard) -> bool:
        """Start this guard, and end the one before it; False where it ran already."""
        if self._running is guard:
            return False
        self.end()
        guard.start()
        self._running = guard
        guard.wait(START)
        return True

    def end(self) -> None:
        """End the one that runs."""
        if self._running is not None:
            self._running.stop()
            self._running = None


class Guarded(Endpoint):
    """A guard in front of a model server, for as long as its arm is asked.

    `revision` names the state of that server; policies, the shared shelf, the settings file and
    the guard's own code are hashed with it. Raises PolicyError for policies that do not compile.
    """

    def __init__(
        self,
        name: str,
        upstream: str,
        model: str,
        *,
        policies: Path,
        turns: Turns,
        what: str,
        revision: str,
        weights: str,
        shelf: Path | None = None,
        config: Path | None = None,
        connections: int = 4,
    ) -> None:
        self._guard = Guard(
            policies, upstream, host="127.0.0.1", port=free_port(), shelf=shelf, config=config
        )
        self._turns, self._shared = turns, shelf is not None
        settings = config.read_text("utf-8") if config else ""
        state = [serving_code(), load_policy_set(policies).hash, revision, self._shared, settings]
        super().__init__(
            name,
            self._guard.url,
            model,
            what=what,
            revision=content_hash(state),
            weights=weights,
            connections=connections,
        )

    def answer(self, asked: Sequence[Asked]) -> Iterator[Reply]:
        """Through the guard. Raises EngineError when it does not start."""
        if self._turns.take(self._guard) and self._shared:
            self._wait_for_the_engine()
        yield from super().answer(asked)

    def _wait_for_the_engine(self) -> None:
        """Until the model server's plugin holds the policies: before, they bind half."""
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            found = httpx.get(f"{self._guard.url}/readyz", trust_env=False).json()["engine"]
            if found["held"] == found["sets"] > 0:
                return
            time.sleep(_POLL)
        raise EvaluateError(f"{self.name}: the model server's plugin did not take the policies")
