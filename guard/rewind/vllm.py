"""The routes of vLLM that a continuation needs: `/tokenize`, `/detokenize`, token ids."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple

import orjson

from guard.api.sse import DONE, SSEDecoder
from guard.errors import CannotContinue, UpstreamError, UpstreamGarbage
from guard.rewind.plan import Ids, Prompt
from guard.upstream import Reply, Upstream

LACKING_SECONDS = 300.0  # an upstream that lacked a route is asked again after this
_MISSING = frozenset({404, 405, 501})

Send = Callable[[Mapping[str, Any]], Awaitable[Reply]]


class Heard(NamedTuple):
    """A piece of a continuation; `finish_reason` in the last."""

    text: str
    ids: Ids
    finish_reason: str | None = None
    stop_reason: int | str | None = None


class Engine:
    """One upstream as a worker knows it."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._lacking_until = float("-inf")

    @property
    def lacking(self) -> bool:
        """Whether the upstream lacked a route a while ago."""
        return time.monotonic() < self._lacking_until

    async def prompt(self, asking: Mapping[str, Any]) -> Prompt:
        """Tokenise a prompt, and read what the tokens say. Raises as `tokens`."""
        answer = await self._post("/tokenize", asking)
        ids, context = self._tokens(answer), answer.get("max_model_len")
        if type(context) is not int:
            raise self._unknown()
        return Prompt(ids, await self.text(str(asking["model"]), ids), context)

    async def tokens(self, model: str, text: str) -> Ids:
        """The ids of a text, with nothing put before it.

        Raises CannotContinue where the upstream does not offer this, UpstreamError where it failed.
        """
        body = {"model": model, "prompt": text, "add_special_tokens": False}
        return self._tokens(await self._post("/tokenize", body))

    async def text(self, model: str, ids: Ids) -> str:
        """What ids say, special tokens too. Raises as `tokens`."""
        text = (await self._post("/detokenize", {"model": model, "tokens": ids})).get("prompt")
        if not isinstance(text, str):
            raise self._unknown()
        return text

    def _tokens(self, answer: Mapping[str, Any]) -> Ids:
        if "tokens" not in answer:
            raise self._unknown()  # a route of that name, of another server
        return _ids(answer["tokens"])

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        reply = await self._upstream.post(path, orjson.dumps(body), {})
        if reply.status in _MISSING:
            reply.close()
            raise self._unknown()
        return await _object(reply)

    def _unknown(self) -> CannotContinue:
        self._lacking_until = time.monotonic() + LACKING_SECONDS
        return CannotContinue("the model server does not offer token ids")


async def step(send: Send, body: Mapping[str, Any]) -> Heard:
    """One token. Raises CannotContinue or UpstreamError."""
    return _heard(await _object(await send(body)))


async def go_on(send: Send, body: Mapping[str, Any]) -> AsyncGenerator[Heard, None]:
    """The rest, as it comes. Raises CannotContinue or UpstreamError, also when it breaks off."""
    reply = await send(body)
    try:
        if reply.status != 200 or not reply.is_event_stream:
            raise _refused(reply)
        decoder = SSEDecoder()
        async with aclosing(reply.chunks()) as chunks:
            async for chunk in chunks:
                for block in decoder.feed(chunk):
                    if block.data is None or block.data.strip() == DONE:
                        continue
                    heard = _heard(_parsed(block.data))
                    yield heard
                    if heard.finish_reason is not None:
                        await reply.drain()
                        return
        raise UpstreamGarbage("the model server ended a continuation without a reason")
    finally:
        reply.close()


async def _object(reply: Reply) -> dict[str, Any]:
    try:
        if reply.status != 200:
            raise _refused(reply)
        return _parsed(await reply.read())
    finally:
        reply.close()


def _refused(reply: Reply) -> UpstreamError:
    """A 4xx says that this cannot be asked; all else that the upstream failed."""
    if 400 <= reply.status < 500 and reply.status != 429:
        return CannotContinue("the model server refused a continuation")
    return UpstreamError("the model server failed to continue an answer")


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise UpstreamGarbage("the model server sent something that is not a JSON object")
    return answer


def _heard(answer: Mapping[str, Any]) -> Heard:
    try:
        (choice,) = answer["choices"]
        text, ids = choice["text"], _ids(choice["token_ids"])
        reason, stop = choice.get("finish_reason"), choice.get("stop_reason")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UpstreamGarbage("the model server's continuation cannot be read") from None
    if not isinstance(text, str) or reason not in (None, "stop", "length"):
        raise UpstreamGarbage("the model server's continuation cannot be read")
    return Heard(text, ids, reason, stop)


def _ids(ids: Any) -> Ids:
    if not isinstance(ids, list) or not all(type(token) is int for token in ids):
        raise UpstreamGarbage("the model server sent something that is not token ids")
    return tuple(ids)
