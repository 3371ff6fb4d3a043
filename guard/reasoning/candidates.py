"""Several answers to one message, from any OpenAI-compatible server."""

from __future__ import annotations

import orjson

from guard.errors import UpstreamError, UpstreamGarbage
from guard.reasoning.request import answered
from guard.upstream import Upstream, UpstreamOptions


async def candidates(
    options: UpstreamOptions, model: str, text: str, *, count: int, tokens: int, least: int = 1
) -> list[str]:
    """At most `count` different answers that say anything, sampled at 0.7.

    Raises UpstreamError when the server fails, UpstreamGarbage for what is no answer, or where
    fewer than `least` came.
    """
    body = {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "n": count,
        "max_tokens": tokens,
        "temperature": 0.7,
        "seed": 0,
    }
    async with Upstream(options) as server:
        reply = await server.post("/v1/chat/completions", orjson.dumps(body), {})
        try:
            answer = await reply.read()
        finally:
            reply.close()
    if reply.status != 200:
        raise UpstreamError(f"the model server answered with HTTP status {reply.status}")
    said, _ = answered(answer, max(least, min(count, _choices(answer))))
    return list(dict.fromkeys(one.text for one in said if one.text))


def _choices(answer: bytes) -> int:
    """How many answers came: not every server gives as many as it is asked for."""
    try:
        return len(orjson.loads(answer)["choices"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise UpstreamGarbage("the model server's answer has an odd structure") from None
