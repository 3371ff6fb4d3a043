"""The model server under examination."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from guard.restrict.shelf import Shelf
from guard.upstream import Upstream

PROMPT = "The capital of France is"


@dataclass(frozen=True, slots=True)
class Patient:
    """`model`: the one that is asked; `models`: all that are listed, as the server lists them;
    `shelf`: the directory shared with its plugin, if any; `reroute`: the second server, on which
    the weights that have forgotten are served, if there is one."""

    upstream: Upstream
    model: str
    models: tuple[Mapping[str, Any], ...]
    shelf: Shelf | None = None
    reroute: Upstream | None = None

    async def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON (None for anything else). Raises UpstreamError."""
        reply = await self.upstream.get(path)
        return reply.status, _json(await _read(reply))

    async def post(self, path: str, **fields: Any) -> tuple[int, Any]:
        """The same for a request to this model."""
        body = orjson.dumps({"model": self.model, **fields})
        reply = await self.upstream.post(path, body, {})
        return reply.status, _json(await _read(reply))

    async def complete(self, **fields: Any) -> tuple[int, dict[str, Any]]:
        """A greedy completion of one token unless `fields` say otherwise: status, and its first
        choice (empty when there is none)."""
        asked = {"prompt": PROMPT, "max_tokens": 1, "temperature": 0, **fields}
        status, answer = await self.post("/v1/completions", **asked)
        try:
            choice = answer["choices"][0]
        except (KeyError, IndexError, TypeError):
            return status, {}
        return status, choice if isinstance(choice, dict) else {}


async def _read(reply: Any) -> bytes:
    try:
        body: bytes = await reply.read()
        return body
    finally:
        reply.close()


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
