"""One request, from decision to answer.

    asked ──▶ policies in force? ──no──▶ upstream, untouched
      │ yes
      ├─▶ names (microseconds) ──flagged──▶ treat (a refusal takes its time)
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
from guard.policy import Action
from guard.reasoning.guide import Guide
from guard.reasoning.reasoner import Reasoner
from guard.rerouting import Elsewhere, Rerouter
from guard.rewind.rewinder import Rewinder
from guard.sending import Sender
from guard.treatments import TREATMENTS, Reconsiders, Reroutes, Said
from guard.upstream import Reply, Upstream

# Turns of the event loop until the transport has written a request: it starts a task of its own
# for that. Tokenising the prompt would hold the processor before the call has left.
_TURNS_TO_SEND = 4

# Refusals leave in steps of so many seconds where several rules may have asked for them.
_REFUSAL_STEP = 0.05


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
        guide: Guide | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._current = current
        self._audit = audit
        self._overlap = overlap
        self._sender = Sender(upstream, engine)
        self._answering = Answering(self._sender, Rewinder(upstream), audit)
        self._reasoner = Reasoner(guide or Guide(upstream), self._sender, self._answering, audit)
        self._rerouter = None if elsewhere is None else Rerouter(elsewhere, audit)

    async def answer(self, call: Call) -> Answer:
        """The answer to one call. Raises RequestError, DetectorError or UpstreamError."""
        started = time.perf_counter()
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
            if _action(call, verdict) == "refuse":
                await current.detector.take_time(binding, call.asked)
            return await self._treat(call, verdict, current, binding, started)
        if not binding.asks_encoder:
            await self._evidence(current).shadows(call, verdict, binding)
            return await self._answering.filtered(
                call, await self._sender.send(call, binding), binding, current
            )
        return await self._judged(call, binding, current, started)

    async def _judged(self, call: Call, binding: Binding, current: InForce, begun: float) -> Answer:
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
                return await self._treat(call, verdict, current, binding, begun)
            if verdict.degraded:
                metrics.DEGRADED.inc()
                await self._evidence(current).record(call, {"decision": "degraded"})
            await self._evidence(current).shadows(call, verdict, binding)
            reply = await (sending if sending is not None else self._sender.send(call, binding))
            sending = None
            return await self._answering.filtered(call, reply, binding, current)
        finally:
            if sending is not None:
                # Of a task that failed its error knows this frame, and the frame must not know it.
                failed, sending = sending, None
                await _give_up(failed, "error")
                del failed

    async def _treat(
        self, call: Call, verdict: Verdict, current: InForce, binding: Binding, begun: float
    ) -> Answer:
        policy = verdict.policy
        assert policy is not None, "only a flagged request is treated"
        await self._evidence(current).shadows(call, verdict, binding)
        treatment = TREATMENTS[_action(call, verdict)]
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
            if binding.asks_encoder:
                await _until_step(begun)
            return said_ourselves(call, treated.body, treatment.action)
        if isinstance(treated, Reconsiders):
            return await self._reasoner.answer(call, policy, current, binding)
        if isinstance(treated, Reroutes):
            assert self._rerouter is not None, "a set that reroutes nowhere is not taken over"
            return await self._rerouter.answer(call, policy, current, binding)
        call = replace(call, body=treated.body, flagged=policy)
        return await self._answering.filtered(
            call, await self._sender.send(call, binding), binding, current
        )

    def _evidence(self, current: InForce) -> Evidence:
        return Evidence(self._audit, current.enforcement.hash)


def _action(call: Call, verdict: Verdict) -> Action:
    """What is done about a flagged call. What no engine can steer, an embedding, is refused."""
    assert verdict.policy is not None, "only a flagged request is treated"
    return verdict.policy.action if call.endpoint.steerable else "refuse"


async def _until_step(begun: float) -> None:
    """Wait until a whole number of steps has passed since `begun`. What rules differ in, such as an
    upstream call that was begun and given up, is a small part of one."""
    passed = time.perf_counter() - begun
    await asyncio.sleep(-passed % _REFUSAL_STEP)


async def _give_up(sending: asyncio.Task[Reply], reason: str) -> None:
    """Cancel an upstream call, whether its answer has begun or not."""
    metrics.CANCELLED.labels(reason).inc()
    sending.cancel()
    await asyncio.wait({sending})
    if not sending.cancelled() and sending.exception() is None:
        sending.result().close()
