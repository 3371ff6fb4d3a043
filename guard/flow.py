"""One request, from decision to answer.

    asked ──▶ policies in force? ──no──▶ upstream, untouched
      │ yes
      ├─▶ names (microseconds) ──flagged──▶ treat
      ├─▶ upstream call starts ┐
      ├─▶ nearest prompts      ┴─▶ verdict ──flagged──▶ cancel the call, treat
      └─▶ the call's answer ──▶ output filter ──▶ client      (guard/answering.py)

Nothing of an answer is released before the verdict, and nothing past the output filter.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from guard import metrics
from guard.answering import Answering
from guard.audit import AuditLog
from guard.call import Answer, Call, InForce, said_ourselves
from guard.detect import Verdict
from guard.enforcement import Binding
from guard.engine import EngineSets
from guard.errors import RequestError
from guard.evidence import Evidence
from guard.rewind.rewinder import Rewinder
from guard.sending import Sender
from guard.treatments import TREATMENTS, Said
from guard.upstream import Reply, Upstream

# Turns of the event loop until the transport has written a request: it starts a task of its own
# for that. Tokenising the prompt would hold the processor before the call has left.
_TURNS_TO_SEND = 4


class Flow:
    """Decides and answers. `current` gives the set in force; a request takes it once."""

    def __init__(
        self,
        current: Callable[[], InForce],
        upstream: Upstream,
        audit: AuditLog,
        *,
        overlap: bool = True,
        engine: EngineSets | None = None,
    ) -> None:
        self._current = current
        self._audit = audit
        self._overlap = overlap
        self._sender = Sender(upstream, engine)
        self._answering = Answering(self._sender, Rewinder(upstream), audit)

    async def answer(self, call: Call) -> Answer:
        """The answer to one call. Raises RequestError, DetectorError or UpstreamError."""
        current = self._current()
        binding = current.enforcement.binding(call.key, call.asked.model)
        if not binding.is_compiled:  # the first request of a caller that nobody foresaw
            await asyncio.to_thread(binding.compile)
        if not binding.policies:
            return await self._answering.passed(
                call, await self._sender.send(call, binding), binding
            )
        if call.asked.unreadable and binding.enforced:
            raise RequestError(
                f"Content of the kind {call.asked.unreadable!r} cannot be checked and is not "
                "served to this caller.",
                code="content_unreadable",
            )
        verdict = current.detector.at_once(binding, call.asked)
        if verdict.flagged:
            return await self._treat(call, verdict, current, binding)
        if not binding.asks_encoder:
            await self._evidence(current).shadows(call, verdict, binding)
            return await self._answering.filtered(
                call, await self._sender.send(call, binding), binding, current
            )
        return await self._judged(call, binding, current)

    async def _judged(self, call: Call, binding: Binding, current: InForce) -> Answer:
        """Ask the encoder, beside the upstream call where that is safe."""
        beside = self._overlap and call.asked.stateless
        sending = asyncio.create_task(self._sender.send(call, binding)) if beside else None
        try:
            for _ in range(_TURNS_TO_SEND):
                await asyncio.sleep(0)
            started = time.perf_counter()
            verdict = await current.detector.full(binding, call.asked)
            metrics.VERDICT_SECONDS.observe(time.perf_counter() - started)
            if verdict.flagged:
                if sending is not None:
                    await _give_up(sending, "flagged")
                    sending = None
                return await self._treat(call, verdict, current, binding)
            if verdict.degraded:
                metrics.DEGRADED.inc()
                await self._evidence(current).record(call, {"decision": "degraded"})
            await self._evidence(current).shadows(call, verdict, binding)
            reply = await (sending if sending is not None else self._sender.send(call, binding))
            sending = None
            return await self._answering.filtered(call, reply, binding, current)
        finally:
            if sending is not None:
                await _give_up(sending, "error")

    async def _treat(
        self, call: Call, verdict: Verdict, current: InForce, binding: Binding
    ) -> Answer:
        policy = verdict.policy
        assert policy is not None, "only a flagged request is treated"
        await self._evidence(current).shadows(call, verdict, binding)
        # What no engine can steer, an embedding, is refused.
        treatment = TREATMENTS[policy.action if call.endpoint.steerable else "refuse"]
        strongest = max(verdict.signals, key=verdict.signals.__getitem__)
        metrics.FLAGGED.labels(policy.name, treatment.action, policy.mode, strongest).inc()
        await self._evidence(current).record(
            call,
            {
                "decision": "flagged",
                "policy": policy.name,
                "policy_hash": policy.hash,
                "action": treatment.action,
                "signals": verdict.signals,
            },
        )
        treated = treatment.treat(call.endpoint, call.asked, call.body, policy)
        if isinstance(treated, Said):
            return said_ourselves(call, treated.body, treatment.action)
        call = replace(call, body=treated.body, flagged=policy)
        return await self._answering.filtered(
            call, await self._sender.send(call, binding), binding, current
        )

    def _evidence(self, current: InForce) -> Evidence:
        return Evidence(self._audit, current.enforcement.hash)


async def _give_up(sending: asyncio.Task[Reply], reason: str) -> None:
    """Cancel an upstream call, whether its answer has begun or not."""
    metrics.CANCELLED.labels(reason).inc()
    sending.cancel()
    await asyncio.wait({sending})
    if not sending.cancelled() and sending.exception() is None:
        sending.result().close()
