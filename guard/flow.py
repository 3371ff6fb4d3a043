"""One request, from decision to answer.

    asked ──▶ policies in force? ──no──▶ upstream, untouched
      │ yes
      ├─▶ names (microseconds) ──flagged──▶ treat
      ├─▶ upstream call starts ┐
      ├─▶ nearest prompts      ┴─▶ verdict ──flagged──▶ cancel the call, treat
      └─▶ the call's answer ──▶ output filter ──▶ client

Nothing of an answer is released before the verdict, and nothing past the output filter.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from guard import metrics
from guard.asked import Asked
from guard.audit import AuditLog
from guard.detect import Detector, Verdict
from guard.enforcement import Binding, Enforcement
from guard.engine import EngineSets, dead_end
from guard.engine.steer import with_xargs
from guard.errors import DetectorError, GenerationEnded, GuardError, RequestError, UpstreamError
from guard.policy import Policy
from guard.restrict.vllm_plugin.arguments import as_xargs
from guard.treatments import TREATMENTS, Answers, Said
from guard.upstream import Reply, Upstream

# Turns of the event loop until the transport has written a request: it starts a task of its own
# for that. Tokenising the prompt would hold the processor before the call has left.
_TURNS_TO_SEND = 4

JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"


class Findings(Protocol):
    """What an output filter did to one answer."""

    cut: list[str]
    shadowed: set[str]
    stripped: int
    most_held: int


class Filter(Protocol):
    """The output filter of one answer: whole, or fed piece by piece."""

    findings: Any
    failure: UpstreamError | None

    @property
    def ended(self) -> bool: ...

    @property
    def cut_short(self) -> bool: ...

    def whole(self, body: bytes) -> bytes: ...

    def feed(self, chunk: bytes) -> bytes: ...

    def flush(self) -> bytes: ...

    def end_filtered(self) -> bytes: ...


class Endpoint(Answers, Protocol):
    """What flow needs to know of an endpoint."""

    name: str
    path: str
    steerable: bool  # takes the engine plugin's arguments

    def filter(self, binding: Binding, asked: Asked) -> Filter: ...

    def error_events(self, error: GuardError) -> bytes: ...

    def upstream_error(self, body: bytes, status: int, binding: Binding) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way: what was asked, by whom, and the bytes to pass on.

    `flagged`: the policy that it fell under, where the model answers all the same.
    """

    id: str
    endpoint: Endpoint
    asked: Asked
    body: bytes
    key: str | None
    flagged: Policy | None = None


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
        self._upstream = upstream
        self._audit = audit
        self._overlap = overlap
        self._engine = engine

    async def answer(self, call: Call) -> Answer:
        """The answer to one call. Raises RequestError, DetectorError or UpstreamError."""
        current = self._current()
        binding = current.enforcement.binding(call.key, call.asked.model)
        if not binding.is_compiled:  # the first request of a caller that nobody foresaw
            await asyncio.to_thread(binding.compile)
        if not binding.policies:
            return await self._pass(call, await self._send(call, binding), binding)
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
            await self._note_shadows(call, verdict, current, binding)
            return await self._filtered(call, await self._send(call, binding), binding, current)
        return await self._judged(call, binding, current)

    async def _judged(self, call: Call, binding: Binding, current: InForce) -> Answer:
        """Ask the encoder, beside the upstream call where that is safe."""
        beside = self._overlap and call.asked.stateless
        sending = asyncio.create_task(self._send(call, binding)) if beside else None
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
                await self._record(call, current, {"decision": "degraded"})
            await self._note_shadows(call, verdict, current, binding)
            reply = await (sending if sending is not None else self._send(call, binding))
            sending = None
            return await self._filtered(call, reply, binding, current)
        finally:
            if sending is not None:
                await _give_up(sending, "error")

    async def _send(self, call: Call, binding: Binding) -> Reply:
        started = time.perf_counter()
        headers = {"X-Request-Id": call.id}
        try:
            body = self._steered(call, binding)
            reply = await self._upstream.post(call.endpoint.path, body, headers)
        except UpstreamError as error:
            metrics.UPSTREAM_ERRORS.labels(error.code).inc()
            raise
        metrics.FIRST_BYTE_SECONDS.observe(time.perf_counter() - started)
        return reply

    def _steered(self, call: Call, binding: Binding) -> bytes:
        """The request with what the engine's plugin is to keep out of the answer."""
        if self._engine is None or not call.endpoint.steerable or not binding.enforced:
            return call.body
        sets = self._engine.sets_of(binding, call.asked, call.flagged)
        return with_xargs(call.body, as_xargs(sets, lead=bool(call.asked.leads)))

    async def _treat(
        self, call: Call, verdict: Verdict, current: InForce, binding: Binding
    ) -> Answer:
        policy = verdict.policy
        assert policy is not None, "only a flagged request is treated"
        await self._note_shadows(call, verdict, current, binding)
        strongest = max(verdict.signals, key=verdict.signals.__getitem__)
        metrics.FLAGGED.labels(policy.name, policy.action, policy.mode, strongest).inc()
        await self._record(
            call,
            current,
            {
                "decision": "flagged",
                "policy": policy.name,
                "policy_hash": policy.hash,
                "action": policy.action,
                "signals": verdict.signals,
            },
        )
        treated = TREATMENTS[policy.action].treat(call.endpoint, call.asked, call.body, policy)
        if isinstance(treated, Said):
            content_type = EVENTS if call.asked.stream else JSON
            return Answer(200, treated.body, content_type, outcome=policy.action)
        call = replace(call, body=treated.body, flagged=policy)
        return await self._filtered(call, await self._send(call, binding), binding, current)

    # --- answers of the upstream -----------------------------------------------------------

    async def _pass(self, call: Call, reply: Reply, binding: Binding) -> Answer:
        """No policy binds this caller: bytes through."""
        if reply.status != 200:
            return await self._upstream_error(call, reply, binding)
        if reply.is_event_stream:
            return self._answer(reply, _passed(reply, call.endpoint))
        return self._answer(reply, await _read(reply))

    async def _filtered(
        self, call: Call, reply: Reply, binding: Binding, current: InForce
    ) -> Answer:
        """The upstream's answer through the output filter."""
        if reply.status != 200:
            return await self._upstream_error(call, reply, binding)
        if not binding.automaton and not binding.shadow_automaton:
            return await self._pass(call, reply, binding)
        filter_ = call.endpoint.filter(binding, call.asked)
        if reply.is_event_stream:
            return self._answer(reply, self._stream(call, reply, filter_, current, binding))
        try:
            body = filter_.whole(await _read(reply))
        except UpstreamError as error:
            metrics.UPSTREAM_ERRORS.labels(error.code).inc()
            raise
        outcome = "filtered" if filter_.findings.cut else "served"
        await self._note_findings(call, filter_.findings, current, binding)
        return self._answer(reply, body, outcome)

    async def _stream(
        self, call: Call, reply: Reply, filter_: Filter, current: InForce, binding: Binding
    ) -> AsyncGenerator[bytes, None]:
        """A stream through the filter. A failure ends it with an error event; what was held
        back then is dropped, since nobody knows how it would have gone on."""
        try:
            try:
                async for chunk in reply.chunks():
                    out = filter_.feed(chunk)
                    if filter_.findings.cut:
                        await self._note_findings(call, filter_.findings, current, binding)
                    if out:
                        yield out
                    if filter_.failure is not None:
                        raise filter_.failure
                    if filter_.ended:
                        break
                out = filter_.flush()
                await self._note_findings(call, filter_.findings, current, binding)
                if out:
                    yield out
                if filter_.failure is not None:
                    raise filter_.failure
                if filter_.cut_short:
                    metrics.CANCELLED.labels("cut").inc()
                else:
                    await reply.drain()
            except UpstreamError as error:
                if isinstance(error, GenerationEnded) and self._is_dead_end(call, binding):
                    yield filter_.end_filtered()
                else:
                    metrics.UPSTREAM_ERRORS.labels(error.code).inc()
                    yield call.endpoint.error_events(error)
            except (OSError, DetectorError):
                # The audit log refused a record: an answer that cannot be evidenced is not given.
                yield call.endpoint.error_events(DetectorError("no audit record"))
        finally:
            reply.close()
            metrics.HELD_EVENTS.observe(filter_.findings.most_held)

    async def _upstream_error(self, call: Call, reply: Reply, binding: Binding) -> Answer:
        """An error of the model server in OpenAI's shape, without forbidden text."""
        body = await _read(reply)
        gave_up = reply.status == dead_end.STATUS and dead_end.body_gave_up(body)
        if gave_up and self._is_dead_end(call, binding):
            return Answer(200, call.endpoint.refusal(call.asked, ""), outcome="filtered")
        metrics.UPSTREAM_ERRORS.labels(f"http_{reply.status}").inc()
        status = reply.status if reply.status >= 400 else 502
        shaped = call.endpoint.upstream_error(body, status, binding)
        kept = {name: value for name, value in reply.headers.items() if name == "retry-after"}
        return Answer(status, shaped, headers=kept, outcome="upstream_error")

    def _is_dead_end(self, call: Call, binding: Binding) -> bool:
        """Whether a request that the engine gave up had a grammar, and bans for it to meet."""
        if self._engine is None or not call.endpoint.steerable or not binding.enforced:
            return False
        if not dead_end.has_grammar(call.body):
            return False
        if not self._engine.sets_of(binding, call.asked, call.flagged):
            return False
        metrics.DEAD_ENDS.inc()
        return True

    def _answer(
        self, reply: Reply, body: bytes | AsyncGenerator[bytes, None], outcome: str = "served"
    ) -> Answer:
        content_type = reply.headers.get("content-type", JSON)
        headers = {name: v for name, v in reply.headers.items() if name == "x-request-id"}
        return Answer(200, body, content_type, headers, outcome, reply.close)

    # --- evidence --------------------------------------------------------------------------

    async def _note_shadows(
        self, call: Call, verdict: Verdict, current: InForce, binding: Binding
    ) -> None:
        for policy in verdict.shadows:
            metrics.FLAGGED.labels(policy.name, policy.action, policy.mode, "any").inc()
            extra = {"decision": "would_flag", "policy": policy.name, "policy_hash": policy.hash}
            must = bool(binding.enforced)
            await self._record(call, current, {**extra, "signals": verdict.signals}, must=must)

    async def _note_findings(
        self, call: Call, findings: Findings, current: InForce, binding: Binding
    ) -> None:
        """Count and record what the filter found; once for each policy."""
        if not findings.cut and not findings.shadowed and not findings.stripped:
            return
        cut, shadowed = list(dict.fromkeys(findings.cut)), sorted(findings.shadowed)
        stripped = findings.stripped
        findings.cut, findings.shadowed, findings.stripped = [], set(), 0
        if stripped:
            metrics.STRIPPED.labels(call.endpoint.name).inc(stripped)
        for name in cut:
            metrics.FILTERED.labels(name, "enforce").inc()
            await self._record(call, current, {"decision": "filtered", "policy": name})
        must = bool(binding.enforced)
        for name in shadowed:
            metrics.FILTERED.labels(name, "shadow").inc()
            record = {"decision": "would_filter", "policy": name}
            await self._record(call, current, record, must=must)

    async def _record(
        self, call: Call, current: InForce, what: Mapping[str, Any], *, must: bool = True
    ) -> None:
        """Audit a decision. Raises DetectorError when that fails, unless only shadow policies bind
        the caller (`must` False): those never change an answer."""
        record = {
            "request": call.id,
            "endpoint": call.endpoint.name,
            "key": call.key,
            "set": current.enforcement.hash,
            **what,
        }
        try:
            await self._audit.write(record)
        except OSError as error:
            metrics.AUDIT_FAILURES.inc()
            if must:
                raise DetectorError("the audit log refused a record") from error


async def _read(reply: Reply) -> bytes:
    try:
        return await reply.read()
    finally:
        reply.close()


async def _passed(reply: Reply, endpoint: Endpoint) -> AsyncGenerator[bytes, None]:
    """A stream as it comes; a failure ends it with an error event of its own."""
    try:
        async for chunk in reply.chunks():
            yield chunk
    except UpstreamError as error:
        metrics.UPSTREAM_ERRORS.labels(error.code).inc()
        yield b"\n\n" + endpoint.error_events(error)
    finally:
        reply.close()


async def _give_up(sending: asyncio.Task[Reply], reason: str) -> None:
    """Cancel an upstream call, whether its answer has begun or not."""
    metrics.CANCELLED.labels(reason).inc()
    sending.cancel()
    await asyncio.wait({sending})
    if not sending.cancelled() and sending.exception() is None:
        sending.result().close()
