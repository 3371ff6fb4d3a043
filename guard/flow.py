"""One request, from decision to answer.

    asked ──▶ policies in force? ──no──▶ upstream, untouched
      │ yes
      ├─▶ names (microseconds) ──flagged──▶ treat
      ├─▶ upstream call starts ┐
      ├─▶ nearest prompts      ┴─▶ verdict ──flagged──▶ cancel the call, treat
      └─▶ the call's answer ──▶ output filter ──▶ client
                                     └─ cut ──▶ rewind: the model goes on in another way

Nothing of an answer is released before the verdict, and nothing past the output filter.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from guard import metrics
from guard.asked import Asked
from guard.audit import AuditLog
from guard.detect import Detector, Verdict
from guard.endpoint import Endpoint, Filter
from guard.enforcement import Binding, Enforcement
from guard.engine import EngineSets, dead_end
from guard.engine.steer import with_xargs
from guard.errors import (
    DetectorError,
    GenerationEnded,
    Overloaded,
    PayloadTooLarge,
    RequestError,
    UpstreamError,
)
from guard.evidence import Evidence
from guard.policy import Policy
from guard.restrict import UNJUDGED, Meant
from guard.restrict.vllm_plugin.arguments import as_xargs
from guard.rewind.answer import Rewinding
from guard.rewind.rewinder import CONTINUE_AT, Rewinder
from guard.treatments import TREATMENTS, Said
from guard.upstream import Reply, Upstream

# Turns of the event loop until the transport has written a request: it starts a task of its own
# for that. Tokenising the prompt would hold the processor before the call has left.
_TURNS_TO_SEND = 4

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
        self._rewinder = Rewinder(upstream)

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
            await self._evidence(current).shadows(call, verdict, binding)
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
                await self._evidence(current).record(call, {"decision": "degraded"})
            await self._evidence(current).shadows(call, verdict, binding)
            reply = await (sending if sending is not None else self._send(call, binding))
            sending = None
            return await self._filtered(call, reply, binding, current)
        finally:
            if sending is not None:
                await _give_up(sending, "error")

    async def _send(self, call: Call, binding: Binding) -> Reply:
        try:
            return await self._post(call, binding)
        except UpstreamError as error:
            metrics.UPSTREAM_ERRORS.labels(error.code).inc()
            raise

    async def _post(self, call: Call, binding: Binding) -> Reply:
        started = time.perf_counter()
        headers = {"X-Request-Id": call.id}
        body = self._steered(call, binding)
        reply = await self._upstream.post(call.path or call.endpoint.path, body, headers)
        metrics.FIRST_BYTE_SECONDS.observe(time.perf_counter() - started)
        return reply

    def _steered(self, call: Call, binding: Binding) -> bytes:
        """The request with what the engine's plugin is to keep out of the answer."""
        if self._engine is None or not call.endpoint.steerable or not binding.enforced:
            return call.body
        sets = self._engine.sets_of(binding, call.asked, call.flagged)
        soft = self._engine.soft_of(call.flagged)
        return with_xargs(call.body, as_xargs(sets, soft, lead=bool(call.asked.leads)))

    async def _treat(
        self, call: Call, verdict: Verdict, current: InForce, binding: Binding
    ) -> Answer:
        policy = verdict.policy
        assert policy is not None, "only a flagged request is treated"
        await self._evidence(current).shadows(call, verdict, binding)
        strongest = max(verdict.signals, key=verdict.signals.__getitem__)
        metrics.FLAGGED.labels(policy.name, policy.action, policy.mode, strongest).inc()
        await self._evidence(current).record(
            call,
            {
                "decision": "flagged",
                "policy": policy.name,
                "policy_hash": policy.hash,
                "action": policy.action,
                "signals": verdict.signals,
            },
        )
        treatment = TREATMENTS[policy.action if call.endpoint.steerable else "refuse"]
        treated = treatment.treat(call.endpoint, call.asked, call.body, policy)
        if isinstance(treated, Said):
            return self._said_ourselves(call, treated, treatment.action)
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
        if not binding.automaton and not binding.shadow_automaton and call.flagged is None:
            return await self._pass(call, reply, binding)
        filter_ = call.endpoint.filter(binding, call.asked, call.flagged)
        filter_.watch = self._rewinder.watch(call, binding)
        if reply.is_event_stream:
            return self._answer(reply, self._stream(call, reply, filter_, current, binding))
        try:
            body = filter_.whole(await _read(reply))
            body += await self._settled(call, filter_, current)
        except UpstreamError as error:
            metrics.UPSTREAM_ERRORS.labels(error.code).inc()
            raise
        cut = bool(filter_.findings.cut)
        await self._evidence(current).findings(call, filter_.findings, binding)
        if filter_.watch is not None and filter_.watch.waiting:
            rewinding = self._rewinding(call, filter_, current, binding)
            body = await rewinding.whole(body)
            cut = cut or rewinding.ended
        return self._answer(reply, body, "filtered" if cut else "served")

    async def _stream(
        self, call: Call, reply: Reply, filter_: Filter, current: InForce, binding: Binding
    ) -> AsyncGenerator[bytes, None]:
        """A stream through the filter. A failure ends it with an error event; what was held
        back then is dropped, since nobody knows how it would have gone on."""
        try:
            try:
                chunks = self._pumped(call, reply.chunks(), filter_, current, binding)
                async with aclosing(chunks) as outs:
                    async for out in outs:
                        yield out
            except UpstreamError as error:
                if isinstance(error, GenerationEnded) and self._is_dead_end(call, binding):
                    yield filter_.end_filtered()
                    return
                metrics.UPSTREAM_ERRORS.labels(error.code).inc()
                waiting = filter_.watch.waiting if filter_.watch is not None else ()
                out = b"".join([filter_.give_in(lane) for lane in waiting])
                await self._evidence(current).findings(call, filter_.findings, binding)
                yield out + filter_.error_events(error)
                return
            if filter_.cut_short:
                metrics.CANCELLED.labels("cut").inc()
                reply.close()
            else:
                await reply.drain()
            if filter_.watch is not None and filter_.watch.waiting:
                rewinding = self._rewinding(call, filter_, current, binding)
                async with aclosing(rewinding.stream()) as outs:
                    async for out in outs:
                        yield out
        except (OSError, DetectorError):
            # The audit log refused a record: an answer that cannot be evidenced is not given.
            yield filter_.error_events(DetectorError("no audit record"))
        finally:
            reply.close()
            metrics.HELD_EVENTS.observe(filter_.findings.most_held)

    async def _pumped(
        self,
        call: Call,
        chunks: AsyncGenerator[bytes, None],
        filter_: Filter,
        current: InForce,
        binding: Binding,
    ) -> AsyncGenerator[bytes, None]:
        """Upstream bytes through a filter, its findings noted before what they concern leaves."""
        async with aclosing(chunks):
            async for chunk in chunks:
                out = filter_.feed(chunk)
                out += await self._settled(call, filter_, current)
                if filter_.findings.cut:
                    await self._evidence(current).findings(call, filter_.findings, binding)
                if out:
                    yield out
                if filter_.failure is not None:
                    raise filter_.failure
                if filter_.ended:
                    break
        out = filter_.flush()
        out += await self._settled(call, filter_, current)
        await self._evidence(current).findings(call, filter_.findings, binding)
        if out:
            yield out
        if filter_.failure is not None:
            raise filter_.failure

    def _rewinding(
        self, call: Call, filter_: Filter, current: InForce, binding: Binding
    ) -> Rewinding:
        """How the lanes go on that were cut and may."""
        # To the engine the answer so far is the end of the prompt: a match may begin in it.
        asked = replace(call.asked, leads={0: ""})
        sent = 0

        async def send(body: Mapping[str, Any]) -> Reply:
            nonlocal sent
            sent += 1
            name = f"{call.id}-{sent}"  # the engine may still be leaving the call before
            text = orjson.dumps(body)
            return await self._post(
                replace(call, id=name, body=text, path=CONTINUE_AT, asked=asked), binding
            )

        return self._rewinder.rewinding(
            call,
            filter_,
            binding,
            send=send,
            pump=lambda chunks, part: self._pumped(call, chunks, part, current, binding),
            note=lambda found: self._evidence(current).findings(call, found, binding),
            record=lambda what: self._evidence(current).record(call, what),
        )

    async def _settled(self, call: Call, filter_: Filter, current: InForce) -> bytes:
        """What may leave now that the sentences which wait for it are judged by their meaning."""
        out = b""
        while questions := filter_.questions():
            assert call.flagged is not None, "only answers to flagged prompts are judged"
            started = time.perf_counter()
            said = await self._said(call, call.flagged, current, [q.text for q in questions])
            metrics.MEANING_SECONDS.observe(time.perf_counter() - started)
            out += filter_.settle(said)
        return out

    async def _said(
        self, call: Call, policy: Policy, current: InForce, sentences: Sequence[str]
    ) -> Sequence[Meant | None]:
        """The verdicts on sentences. Without any they count as forbidden, or all as benign where
        the policy fails open."""
        try:
            return await current.detector.says(policy, sentences)
        except (Overloaded, PayloadTooLarge, DetectorError):
            if policy.on_error == "closed":
                return [Meant(policy.name, UNJUDGED)] * len(sentences)
            metrics.DEGRADED.inc()
            await self._evidence(current).record(
                call, {"decision": "degraded", "policy": policy.name}
            )
            return [None] * len(sentences)

    def _evidence(self, current: InForce) -> Evidence:
        return Evidence(self._audit, current.enforcement.hash)

    async def _upstream_error(self, call: Call, reply: Reply, binding: Binding) -> Answer:
        """An error of the model server in OpenAI's shape, without forbidden text."""
        body = await _read(reply)
        gave_up = reply.status == dead_end.STATUS and dead_end.body_gave_up(body)
        if gave_up and self._is_dead_end(call, binding):
            return self._said_ourselves(call, Said(_nothing(call)), "filtered")
        metrics.UPSTREAM_ERRORS.labels(f"http_{reply.status}").inc()
        status = reply.status if reply.status >= 400 else 502
        shaped = call.endpoint.upstream_error(body, status, binding)
        kept = {name: value for name, value in reply.headers.items() if name == "retry-after"}
        return Answer(status, shaped, headers=kept, outcome="upstream_error")

    def _said_ourselves(self, call: Call, said: Said, outcome: str) -> Answer:
        content_type = EVENTS if call.asked.stream else JSON
        return Answer(200, said.body, content_type, outcome=outcome)

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


def _nothing(call: Call) -> bytes:
    """An answer that ends, filtered, before it has said anything."""
    if call.asked.stream:
        return b"".join(call.endpoint.refusal_stream(call.asked, ""))
    return call.endpoint.refusal(call.asked, "")


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
