"""The upstream's answer on its way to the client: filtered, judged by meaning, rewound.

reply ──▶ output filter ──▶ sentences judged ──▶ client
               └─ cut ──▶ rewind: the model goes on in another way, through the same filter
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson

from guard import metrics
from guard.audit import AuditLog
from guard.call import JSON, Answer, Call, InForce, said_ourselves
from guard.endpoint import Endpoint, Filter
from guard.enforcement import Binding
from guard.engine import dead_end
from guard.errors import (
    DetectorError,
    GenerationEnded,
    Overloaded,
    PayloadTooLarge,
    UpstreamError,
)
from guard.evidence import Evidence
from guard.policy import Policy
from guard.restrict import UNJUDGED, Meant, telling
from guard.rewind.answer import Rewinding
from guard.rewind.rewinder import CONTINUE_AT, Rewinder
from guard.sending import Sender
from guard.upstream import Reply


class Answering:
    """Turns replies of the model server into answers. Nothing leaves past the output filter."""

    def __init__(self, sender: Sender, rewinder: Rewinder, audit: AuditLog) -> None:
        self._sender = sender
        self._rewinder = rewinder
        self._audit = audit

    async def passed(self, call: Call, reply: Reply, binding: Binding) -> Answer:
        """No policy binds this caller: bytes through."""
        if reply.status != 200:
            return await self._upstream_error(call, reply, binding)
        if reply.is_event_stream:
            return self._answer(reply, _passed(reply, call.endpoint))
        return self._answer(reply, await _read(reply))

    async def filtered(
        self, call: Call, reply: Reply, binding: Binding, current: InForce
    ) -> Answer:
        """The upstream's answer through the output filter."""
        if reply.status != 200:
            return await self._upstream_error(call, reply, binding)
        if not binding.automaton and not binding.shadow_automaton and call.flagged is None:
            return await self.passed(call, reply, binding)
        filter_ = call.endpoint.filter(binding, call.asked, call.flagged)
        filter_.watch = self._rewinder.watch(call, binding)
        if reply.is_event_stream:
            return self._answer(reply, self._stream(call, reply, filter_, current, binding))
        try:
            body = filter_.whole(await _read(reply))
            body += await self._settled(call, filter_, current, binding)
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
                out += await self._settled(call, filter_, current, binding)
                if filter_.findings.cut:
                    await self._evidence(current).findings(call, filter_.findings, binding)
                if out:
                    yield out
                if filter_.failure is not None:
                    raise _taken(filter_)
                if filter_.ended:
                    break
        out = filter_.flush()
        out += await self._settled(call, filter_, current, binding)
        await self._evidence(current).findings(call, filter_.findings, binding)
        if out:
            yield out
        if filter_.failure is not None:
            raise _taken(filter_)

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
            return await self._sender.post(
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

    async def _settled(
        self, call: Call, filter_: Filter, current: InForce, binding: Binding
    ) -> bytes:
        """What may leave now that the sentences which wait for it are judged by their meaning."""
        out = b""
        while questions := filter_.questions():
            assert call.flagged is not None, "only answers to flagged prompts are judged"
            started = time.perf_counter()
            texts = [question.text for question in questions]
            said = await self._said(call, call.flagged, current, binding, texts)
            metrics.MEANING_SECONDS.observe(time.perf_counter() - started)
            out += filter_.settle(said)
        return out

    async def _said(
        self,
        call: Call,
        policy: Policy,
        current: InForce,
        binding: Binding,
        sentences: Sequence[str],
    ) -> Sequence[Meant | None]:
        """The verdicts on sentences: by the values that they say, then by their meaning. Without
        the latter they count as forbidden, or all as benign where the policy fails open."""
        cache = binding.cache
        supplied = (*call.asked.texts, *call.asked.spans) if policy.scope == "parametric" else ()
        told = telling(cache.values(policy), sentences, supplied)
        rest = [sentence for sentence, tells in zip(sentences, told, strict=True) if not tells]
        meant: Sequence[Meant | None] = [None] * len(rest)
        if rest and cache.has_sentences(policy):
            meant = await self._meant(call, policy, current, rest)
        judged = iter(meant)
        return [Meant(policy.name, 1.0) if tells else next(judged) for tells in told]

    async def _meant(
        self, call: Call, policy: Policy, current: InForce, sentences: Sequence[str]
    ) -> Sequence[Meant | None]:
        """What the encoder says of sentences."""
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
            return said_ourselves(call, _nothing(call), "filtered")
        metrics.UPSTREAM_ERRORS.labels(f"http_{reply.status}").inc()
        status = reply.status if reply.status >= 400 else 502
        shaped = call.endpoint.upstream_error(body, status, binding)
        kept = {name: value for name, value in reply.headers.items() if name == "retry-after"}
        return Answer(status, shaped, headers=kept, outcome="upstream_error")

    def _is_dead_end(self, call: Call, binding: Binding) -> bool:
        """Whether a request that the engine gave up had a grammar, and bans for it to meet."""
        if not dead_end.has_grammar(call.body) or not self._sender.bans(call, binding):
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


def _taken(filter_: Filter) -> UpstreamError:
    """What a filter failed with. Left there, it would hold the filter by the frames that it passes,
    and the filter it, until a collection."""
    failure, filter_.failure = filter_.failure, None
    assert failure is not None, "asked for only where there is one"
    return failure


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
