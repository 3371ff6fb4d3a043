"""A flagged request, answered by the model under its policy: the calls, and the last look."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace

import orjson

from guard import metrics
from guard.answering import Answering
from guard.asked import Turn
from guard.audit import AuditLog
from guard.call import Answer, Call, InForce, said_ourselves
from guard.enforcement import Binding
from guard.errors import UpstreamError, UpstreamGarbage
from guard.evidence import Evidence
from guard.policy import Policy
from guard.reasoning.guide import Guide, Instruction
from guard.reasoning.prompts import guarded_prompt
from guard.reasoning.request import answered, put
from guard.reasoning.secrets import Secrets
from guard.sending import Sender
from guard.treatments import Told


class Reasoner:
    """Answers the requests that fell under policies with `action: reason`.

    The answer is read whole before any of it leaves, also where the client wants a stream.
    """

    def __init__(self, guide: Guide, sender: Sender, answering: Answering, audit: AuditLog) -> None:
        self.guide = guide
        self._sender = sender
        self._answering = answering
        self._audit = audit

    async def answer(
        self, call: Call, policy: Policy, current: InForce, binding: Binding
    ) -> Answer:
        """The answer to one call. Raises UpstreamError and DetectorError: nothing gets out."""
        started = time.perf_counter()
        endpoint = call.endpoint.asks
        alone = [call.asked.turns] if endpoint.name == "chat" else [(t,) for t in call.asked.turns]
        put_as = [await self._instructed(policy, binding, turns, call) for turns in alone]
        metrics.INSTRUCTION_SECONDS.observe(time.perf_counter() - started)
        sources = sorted({instruction.source for instruction, _, _ in put_as})
        evidence = Evidence(self._audit, current.enforcement.hash)
        what = {"decision": "reasoned", "policy": policy.name, "instructions": sources}
        await evidence.record(call, what)
        asking = replace(
            call,
            endpoint=endpoint,
            asked=replace(call.asked, stream=False, include_usage=False, leads={}),
            body=put(
                orjson.loads(call.body),
                [prompt for _, prompt, _ in put_as],
                policy.reasoning.answer_tokens,
                chat=endpoint.name == "chat",
            ),
            flagged=policy,
        )
        reply = await self._sender.send(asking, binding)
        if reply.status != 200:
            reply.close()
            metrics.UPSTREAM_ERRORS.labels(f"http_{reply.status}").inc()
            # Not the server's own words: an error may quote the prompt.
            status = reply.status if reply.status >= 400 else None
            raise UpstreamError("the model server answered with an error", status=status)
        answer = await self._answering.filtered(asking, reply, binding, current)
        if not isinstance(answer.body, bytes):
            if answer.close is not None:
                answer.close()
            raise UpstreamGarbage("the model server answered with a stream that nobody asked for")
        said, tokens = answered(answer.body, call.asked.lanes)
        choices = max(1, call.asked.lanes // len(put_as))
        checked = [
            self._aloud(policy, told, put_as[min(lane // choices, len(put_as) - 1)][2])
            for lane, told in enumerate(said)
        ]
        if any(withheld for _, withheld in checked):
            metrics.FILTERED.labels(policy.name, "enforce").inc()
            told_off = {"decision": "filtered", "policy": policy.name, "signals": {"prompt": 1.0}}
            await evidence.record(call, told_off)
        body = call.endpoint.told(call.asked, [told for told, _ in checked], tokens)
        return replace(said_ourselves(call, body, answer.outcome), close=answer.close)

    async def _instructed(
        self, policy: Policy, binding: Binding, turns: Sequence[Turn], call: Call
    ) -> tuple[Instruction, str, Secrets]:
        """How a conversation is put to the model, and what of that must not come back."""
        context = policy.reasoning.context
        instruction = await self.guide.instruction(policy, binding, turns, call.asked.model)
        profile = drawn(policy, turns)
        prompt = guarded_prompt(context, turns, instruction.text, profile)
        return instruction, prompt, Secrets(context, instruction.quotes, profile, turns)

    def _aloud(self, policy: Policy, told: Told, secrets: Secrets) -> tuple[Told, bool]:
        """What may leave of a lane, and whether the prompt was quoted in it. An empty lane, of
        which the filter left nothing or the model said nothing, becomes the policy's message."""
        withheld = secrets.told_by(told.text)
        return (Told(policy.message) if withheld or not told.text else told), withheld


def drawn(policy: Policy, turns: Sequence[Turn]) -> str:
    """One of the policy's invented profiles, the same for the same conversation; empty without."""
    profiles = policy.reasoning.profiles
    if not profiles:
        return ""
    digest = hashlib.blake2b(digest_size=8)
    for turn in turns:
        digest.update(f"{turn.role}\n{len(turn.text)}\n{turn.text}\n".encode("utf-8", "replace"))
    return profiles[int.from_bytes(digest.digest()) % len(profiles)]
