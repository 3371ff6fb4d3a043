"""Proof that the engines' plugin is on.

The canary is a set of phrases, on the shelf like any other, that forbids every ASCII letter and
digit. A greedy completion that begins with a letter without it must hold none with it: an engine
whose plugin is silently off says the same twice. Which engine answered a request is told by the
engines' own reports, in which the count of canaries served must rise.
"""

from __future__ import annotations

import asyncio
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from guard import metrics
from guard.engine.steer import with_xargs
from guard.errors import UpstreamError, UpstreamGarbage, UpstreamTimeout
from guard.restrict import Phrase, PhraseAutomaton
from guard.restrict.shelf import Shelf, held_by_all, manifest_id, shard_name
from guard.restrict.vllm_plugin.arguments import as_xargs
from guard.upstream import Upstream

Why = Literal["no_engine", "not_held", "off", "unproved", "unreachable", "shelf"]

CANARY: tuple[Phrase, ...] = tuple(
    Phrase(symbol.encode(), False, "text", "canary", (symbol.encode(),))
    for symbol in string.ascii_lowercase + string.digits
)
_SHARD = shard_name(CANARY)
CANARY_SET = manifest_id([_SHARD])
"""The canary's name on every shelf."""

# A model that ends at once, or answers one with a dash, answers another with words.
PROMPTS = ("1 2 3 4 5", "The capital of France is", "Once upon a time", "a b c d e f", "Hello")
TOKENS = 4  # of an answer
LEAST_TRIES = 4  # requests of one proof, so that a replica without the plugin is met too
_ROUNDS = 4
_ANSWER_SECONDS = 30.0
REPORT_SECONDS = 3.0  # within which an engine reports what it has served
_POLL_SECONDS = 0.1

_AUTOMATON = PhraseAutomaton(CANARY)

Engines = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Proof:
    """What one proof found: the engines that obeyed; why it failed, None when it did not."""

    proved: frozenset[str] = frozenset()
    why: Why | None = None


def publish_canary(shelf: Shelf) -> None:
    """Put the canary on the shelf, or say that it is still in use. Raises EngineError."""
    shelf.publish({_SHARD: CANARY})
    shelf.keep([CANARY_SET])


def speaks(text: str) -> bool:
    """Whether the text holds what the canary forbids."""
    return bool(_AUTOMATON.find_all(text))


def served(engines: Engines) -> dict[str, int]:
    """How many canaries each engine has served: the least of its ranks."""
    return {
        name: min(int(rank["served"].get(CANARY_SET, 0)) for rank in ranks)
        for name, ranks in engines.items()
    }


async def prove(upstream: Upstream, shelf: Shelf, *, tries: int = LEAST_TRIES) -> Proof:
    """Ask with and without the canary until every engine on the shelf has served one.

    Who answers is the load balancer's choice: `tries` requests at least, more until all have
    answered. An engine that has left the shelf meanwhile need not answer.
    """
    engines = await asyncio.to_thread(shelf.engines)
    if not engines:
        return Proof(why="no_engine")
    if not held_by_all(engines, CANARY_SET):
        return Proof(why="not_held")
    try:
        model = await first_model(upstream)
        prompt = await _telling_prompt(upstream, model)
        if prompt is None:
            return Proof(why="unproved")
        return await _prove_each(upstream, shelf, model, prompt, tries)
    except UpstreamError:
        metrics.CANARIES.labels("failed").inc()
        return Proof(why="unreachable")


async def _prove_each(
    upstream: Upstream, shelf: Shelf, model: str, prompt: str, tries: int
) -> Proof:
    before = served(await asyncio.to_thread(shelf.engines))
    proved: set[str] = set()
    for number in range(_ROUNDS):
        count = max(2 * len(before.keys() - proved), tries if number == 0 else 1)
        asking = (complete(upstream, model, prompt, canary=True) for _ in range(count))
        answers = await asyncio.gather(*asking)
        ignored = sum(map(speaks, answers))
        metrics.CANARIES.labels("ignored").inc(ignored)
        metrics.CANARIES.labels("obeyed").inc(count - ignored)
        proved, live = await _reported(shelf, before)
        if ignored:
            return Proof(frozenset(proved), "off")
        if live and live <= proved:
            return Proof(frozenset(proved))
    return Proof(frozenset(proved), "unproved" if live else "no_engine")


async def _reported(shelf: Shelf, before: Mapping[str, int]) -> tuple[set[str], set[str]]:
    """The engines that have served a canary since, and those that were there and still live; waits
    until these are the same, but not for long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + REPORT_SECONDS
    while True:
        now = served(await asyncio.to_thread(shelf.engines))
        live = before.keys() & now.keys()
        proved = {name for name in live if now[name] > before[name]}
        if proved == live or loop.time() >= deadline:
            return proved, live
        await asyncio.sleep(_POLL_SECONDS)


async def _telling_prompt(upstream: Upstream, model: str) -> str | None:
    """A prompt that this model answers with letters or digits when nothing forbids them."""
    for prompt in PROMPTS:
        if speaks(await complete(upstream, model, prompt, canary=False)):
            return prompt
    return None


# --- asking ------------------------------------------------------------------------------------


async def first_model(upstream: Upstream) -> str:
    """The first model that the server lists. Raises UpstreamError."""
    listed = await ask(upstream, "/v1/models")
    try:
        return str(listed["data"][0]["id"])
    except (KeyError, IndexError, TypeError):
        raise UpstreamGarbage("the model server lists no model") from None


async def complete(upstream: Upstream, model: str, prompt: str, *, canary: bool) -> str:
    """A short greedy completion. Raises UpstreamError."""
    request = {"model": model, "prompt": prompt, "max_tokens": TOKENS, "temperature": 0}
    body = orjson.dumps(request)
    if canary:
        body = with_xargs(body, as_xargs([CANARY_SET], lead=False))
    answer = await ask(upstream, "/v1/completions", body)
    try:
        return str(answer["choices"][0]["text"])
    except (KeyError, IndexError, TypeError):
        raise UpstreamGarbage("the model server's answer has no text") from None


async def ask(upstream: Upstream, path: str, body: bytes | None = None) -> Any:
    """The JSON that is answered with status 200. Raises UpstreamError for anything else."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reply = await (upstream.get(path) if body is None else upstream.post(path, body, {}))
            try:
                content = await reply.read()
            finally:
                reply.close()
    except TimeoutError:
        raise UpstreamTimeout("the model server did not answer in time") from None
    if reply.status != 200:
        raise UpstreamError(f"the model server answered with HTTP status {reply.status}")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise UpstreamGarbage("the model server sent something that is not JSON") from None
