"""Requests to the model server, with what the engine's plugin is told of them."""

from __future__ import annotations

import time

from guard import metrics
from guard.call import Call
from guard.enforcement import Binding
from guard.engine import EngineSets
from guard.engine.steer import with_xargs
from guard.errors import UpstreamError
from guard.restrict.vllm_plugin.arguments import as_xargs
from guard.upstream import Reply, Upstream


class Sender:
    """Sends calls upstream. `engine`: what engines with the plugin hold; None without any."""

    def __init__(self, upstream: Upstream, engine: EngineSets | None = None) -> None:
        self._upstream = upstream
        self._engine = engine

    async def send(self, call: Call, binding: Binding) -> Reply:
        """The head of the upstream's answer; a failure is counted. Raises UpstreamError."""
        try:
            return await self.post(call, binding)
        except UpstreamError as error:
            metrics.UPSTREAM_ERRORS.labels(error.code).inc()
            raise

    async def post(self, call: Call, binding: Binding) -> Reply:
        """The same, for callers that count failures themselves."""
        started = time.perf_counter()
        headers = {"X-Request-Id": call.id}
        body = self._steered(call, binding)
        reply = await self._upstream.post(call.path or call.endpoint.path, body, headers)
        metrics.FIRST_BYTE_SECONDS.observe(time.perf_counter() - started)
        return reply

    def _steered(self, call: Call, binding: Binding) -> bytes:
        """The request with what the engine's plugin is to keep out of the answer."""
        sets = self.bans(call, binding)
        soft = [] if self._engine is None else self._engine.soft_of(call.flagged)
        return with_xargs(call.body, as_xargs(sets, soft, lead=bool(call.asked.leads)))

    def bans(self, call: Call, binding: Binding) -> list[str]:
        """The sets that the engine is told of with this request."""
        if self._engine is None or not call.endpoint.steerable or not binding.enforced:
            return []
        return self._engine.sets_of(binding, call.asked, call.flagged)
