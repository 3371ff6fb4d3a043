"""Flagged requests to the model that has forgotten, under the name of the one that was asked.

    flagged ──▶ the same request, `model` replaced ──▶ adapter or second upstream
                     client ◀── output filter, `model` put back ◀──┘

The client is not told: an answer names the model that it asked for.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

import orjson

from guard import metrics
from guard.answering import Answering
from guard.audit import AuditLog
from guard.call import Answer, Call, InForce
from guard.enforcement import Binding
from guard.engine import EngineSets
from guard.errors import PolicyError, Problem, UpstreamError
from guard.policy import Policy, PolicySet
from guard.rewind.rewinder import Rewinder
from guard.sending import Sender
from guard.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where flagged requests go. `model` None: the name that the client asked for.

    `engine`: what its plugin holds, when it is the same server as everybody's.
    """

    upstream: Upstream
    model: str | None
    engine: EngineSets | None = None


class Rerouter:
    """Answers flagged requests from elsewhere."""

    def __init__(self, elsewhere: Elsewhere, audit: AuditLog) -> None:
        self._model = elsewhere.model
        self._sender = Sender(elsewhere.upstream, elsewhere.engine)
        self._answering = Answering(self._sender, Rewinder(elsewhere.upstream), audit)

    async def answer(
        self, call: Call, policy: Policy, current: InForce, binding: Binding
    ) -> Answer:
        """The other model's answer through the output filter.

        Raises UpstreamError, also when that model is not served: a flagged request never falls
        back to the one that has not forgotten.
        """
        asked = call.asked.model
        model = self._model or asked
        # As the request was read: numbers of any size stay what they are.
        body = json.dumps({**json.loads(call.body), "model": model}).encode()
        there = replace(call, body=body, flagged=policy)
        reply = await self._sender.send(there, binding)
        if reply.status == 404:
            reply.close()
            metrics.UPSTREAM_ERRORS.labels("reroute_not_served").inc()
            raise UpstreamError("The model server cannot answer this request.")
        answer = await self._answering.filtered(there, reply, binding, current)
        return answer if model == asked else _renamed(answer, model, asked)


def check_reroute(policies: PolicySet, elsewhere: Elsewhere | None) -> None:
    """Raises PolicyError when a policy reroutes and the settings don't say where to."""
    if elsewhere is None:
        message = "reroute needs the server's setting reroute.model or reroute.url"
        problems = [
            Problem(str(policy.source), 0, "action", message)
            for policy in policies.policies
            if policy.action == "reroute"
        ]
        if problems:
            raise PolicyError(problems)


def _renamed(answer: Answer, model: str, asked: str) -> Answer:
    """The answer with the name of the model that was asked, wherever it names the other."""
    swaps = [
        (b'"model":%s%s' % (space, orjson.dumps(model)), b'"model":%s%s' % (space, name))
        for space in (b"", b" ")
        for name in [orjson.dumps(asked)]
    ]
    if answer.outcome == "upstream_error":  # in a sentence of the server's
        swaps = [(orjson.dumps(model)[1:-1], orjson.dumps(asked)[1:-1])]

    def swapped(text: bytes) -> bytes:
        # Inside a string the quotes would be escaped: what is found is a field. The filter gives
        # whole events, so that no name is cut in two.
        for old, new in swaps:
            text = text.replace(old, new)
        return text

    if isinstance(answer.body, bytes):
        return replace(answer, body=swapped(answer.body))
    return replace(answer, body=_each(answer.body, swapped))


async def _each(
    chunks: AsyncGenerator[bytes, None], change: Callable[[bytes], bytes]
) -> AsyncGenerator[bytes, None]:
    async with aclosing(chunks):
        async for chunk in chunks:
            yield change(chunk)
