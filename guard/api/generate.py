"""A generating endpoint as pure ASGI: reads a request, asks flow, sends the answer."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send

from guard import metrics
from guard.api.body import ClientGone, parse_object, read_body
from guard.api.endpoint import Endpoint
from guard.api.errors import error_bytes
from guard.call import JSON, Answer, Call
from guard.errors import GuardError, WrongMethod

if TYPE_CHECKING:
    from guard.api.state import State


_WATCH_AFTER = 0.02  # seconds


class Generate:
    """POST of one endpoint. Nothing here knows what a policy is."""

    def __init__(self, endpoint: Endpoint, state: State) -> None:
        self._endpoint = endpoint
        self._state = state
        self._in_flight = metrics.IN_FLIGHT.labels(endpoint.name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        outcome = "served"
        self._in_flight.inc()
        try:
            outcome = await self._handle(scope, receive, send)
        except ClientGone:
            outcome = "client_gone"
        except GuardError as error:
            outcome = "refused_request" if error_status(error) < 500 else "error"
            await send_error(send, error, self._endpoint.error)
        finally:
            self._in_flight.dec()
            metrics.REQUESTS.labels(self._endpoint.name, outcome).inc()

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> str:
        if scope["method"] != "POST":
            raise WrongMethod("POST")
        caller = self._state.keyring.caller(scope)
        limits = self._state.limits
        limits.enter(caller.key)
        try:
            settings = self._state.settings.limits
            body = await read_body(receive, settings.max_body_bytes, settings.body_timeout)
            call = self._call(body, caller.key)
            return await _until_gone(self._answer(call, send), receive)
        finally:
            limits.leave(caller.key)

    def _call(self, body: bytes, key: str | None) -> Call:
        """The request, checked against the field contract."""
        request = parse_object(body)
        asked = self._endpoint.read(request)
        enforcement = self._state.current().enforcement
        binding = enforcement.binding(key, asked.model)
        self._endpoint.contract.check(request, enforced=bool(binding.enforced))
        return Call(f"req-{uuid.uuid4().hex}", self._endpoint, asked, body, key)

    async def _answer(self, call: Call, send: Send) -> str:
        answer = await self._state.flow.answer(call)
        try:
            await send_answer(send, answer, call.id)
        finally:
            if answer.close is not None:  # a stream that never began closes nothing by itself
                answer.close()
        return answer.outcome


async def _until_gone(work: Coroutine[None, None, str], receive: Receive) -> str:
    """Run `work`; cancel it when the client goes, which closes the upstream's socket.

    The connection is watched once the answer takes a while: nobody hangs up within milliseconds,
    and a task a request costs more than most of its handling.
    """
    loop = asyncio.get_running_loop()
    watch = _Watch(receive, asyncio.current_task())
    timer = loop.call_later(_WATCH_AFTER, watch.start)
    try:
        return await work
    except asyncio.CancelledError:
        if not watch.gone:
            raise
        metrics.CANCELLED.labels("client").inc()
        raise ClientGone from None
    finally:
        timer.cancel()
        watch.stop()


class _Watch:
    """Cancels a request's task when its client disconnects."""

    def __init__(self, receive: Receive, request: asyncio.Task[object] | None) -> None:
        self._receive = receive
        self._request = request
        self._task: asyncio.Task[None] | None = None
        self.gone = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._watch())

    def stop(self) -> None:
        # Of each other they would know through the frames of its cancellation, and stay, with the
        # request, until a collection.
        task, self._task, self._request = self._task, None, None
        if task is not None:
            task.cancel()

    async def _watch(self) -> None:
        await _disconnected(self._receive)
        if self._request is not None:
            self.gone = True
            self._request.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def error_status(error: GuardError) -> int:
    """The HTTP status that an exception is answered with."""
    return error_bytes(error)[0]


async def send_error(
    send: Send,
    error: GuardError,
    shaped: Callable[[GuardError], tuple[int, bytes]] = error_bytes,
) -> None:
    """An error in OpenAI's shape, or as `shaped` writes it."""
    status, body = shaped(error)
    headers = {"retry-after": "1"} if status in (429, 503) else {}
    if status == 408:  # what may yet come of its body is not waited for
        headers["connection"] = "close"
    if isinstance(error, WrongMethod):
        headers["allow"] = error.allow
    await send_answer(send, Answer(status, body, JSON, headers), None)


async def send_answer(send: Send, answer: Answer, request_id: str | None) -> None:
    """Send a whole answer or a stream."""
    headers = [(b"content-type", answer.content_type.encode("latin-1"))]
    if request_id is not None and "x-request-id" not in answer.headers:
        headers.append((b"x-request-id", request_id.encode("latin-1")))
    headers += [(k.encode("latin-1"), v.encode("latin-1")) for k, v in answer.headers.items()]
    if isinstance(answer.body, bytes):
        headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        return
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    # Flow gives generators, whose cleanup closes the upstream's socket.
    async with aclosing(answer.body) as chunks:
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
