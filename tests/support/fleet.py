"""Replicas behind one address: scripted answers, real shelf reports of the real plugin engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guard.restrict.shelf import Shelf
from guard.restrict.vllm_plugin.arguments import SETS
from guard.restrict.vllm_plugin.engine import Engine
from tests.restrict.vllm_plugin.support import END, VOCABULARY
from tests.support.answers import error, text_completion
from tests.support.upstream import RecordedRequest, Reply, ScriptedUpstream

SAID = " Paris, 1 of many"
FACTS = {
    "model": "m",
    "runner": "v1",
    "tokens": VOCABULARY.tokens,
    "logprobs_mode": "processed_logprobs",
    "speculative": False,
}


@dataclass
class Replica:
    """One model server. `plugin`: whether it follows the shelf; `obeys`: whether its plugin is at
    work too."""

    name: str
    plugin: Engine | None
    obeys: bool = True
    silent: bool = False  # a model that says no letter by itself

    def text(self, request: dict[str, Any]) -> str:
        """What it completes."""
        sets = request.get("vllm_xargs", {}).get(SETS)
        if sets and self.plugin is not None and self.obeys:
            roots = self.plugin.hold(sets)
            if roots is not None:
                self.plugin.release(roots)
            return "..."
        return "..." if self.silent else SAID


class Fleet:
    """Answers in turn; `replicas` may be changed while it serves, `down` is when nobody answers."""

    def __init__(self, shelf: Path) -> None:
        self.shelf = Shelf(shelf)
        self.replicas: list[Replica] = []
        self.down = False
        self.extra: dict[str, Any] = {}  # answers by path, before the usual ones
        self._turn = 0
        self._lock = threading.Lock()

    def join(self, name: str, *, plugin: bool = True, **how: Any) -> Replica:
        """A replica more, whose plugin reports under this name."""
        engine = None
        if plugin:
            facts = {**FACTS, **how.pop("facts", {})}
            engine = Engine(
                self.shelf, VOCABULARY, end=END, nodes=how.pop("nodes", 4096), name=name,
                facts=facts,
            )  # fmt: skip
            engine.follow()  # it has reported when this returns
            engine.start()
        replica = Replica(name, engine, **how)
        self.replicas.append(replica)
        return replica

    def leave(self, replica: Replica) -> None:
        """It is gone, and so is its report."""
        self.replicas.remove(replica)
        if replica.plugin is not None:
            replica.plugin.stop()
            for path in (self.shelf.path / "engines" / replica.name).glob("*.json"):
                path.unlink()

    def answer(self, request: RecordedRequest) -> Reply:
        """What the load balancer passes on."""
        if self.down:
            return Reply.json(error("no replica", type="ServiceUnavailable", code=503), status=503)
        path = request.path
        if path in self.extra:
            made = self.extra[path]
            return made(request) if callable(made) else Reply.json(made)
        if path == "/v1/models":
            return Reply.json({"object": "list", "data": [{"id": "m", "object": "model"}]})
        if path == "/v1/completions":
            with self._lock:
                self._turn += 1
                replica = self.replicas[self._turn % len(self.replicas)]
            return Reply.json(text_completion(replica.text(request.json())))
        return Reply.json(error("not here", type="NotFoundError", code=404), status=404)


@contextmanager
def fleet_on(shelf: Path, upstream: ScriptedUpstream, names: Sequence[str] = ()) -> Iterator[Fleet]:
    """A fleet behind a scripted upstream."""
    fleet = Fleet(shelf)
    for name in names:
        fleet.join(name)
    upstream.handle(fleet.answer)
    try:
        yield fleet
    finally:
        for replica in list(fleet.replicas):
            fleet.leave(replica)
