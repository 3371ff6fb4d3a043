"""A model server that answers, over a real socket, exactly the bytes a test scripts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, cast

import httptools
import orjson

from tests.support.answers import (
    chat_chunk,
    chat_chunks,
    chat_completion,
    completion_chunks,
    error,
    sse,
    text_completion,
    usage,
)
from tests.support.reply import Fault, Framing, Piece, Reply

__all__ = [
    "Fault",
    "Framing",
    "Piece",
    "RecordedRequest",
    "Reply",
    "ScriptedUpstream",
    "chat_chunk",
    "chat_chunks",
    "chat_completion",
    "completion_chunks",
    "error",
    "sse",
    "text_completion",
    "unreachable_url",
    "usage",
]

WAIT = 10.0  # seconds a test waits for something that must happen
_GATE_POLL = 0.002  # a gate is a thread's event: the server's loop looks at it this often


@dataclass(eq=False)
class RecordedRequest:
    """A request as it arrived. Header names are lower case; `path` includes the query.

    `finished` is set once the last byte of the reply is written, `disconnected` when the peer
    went away before that.
    """

    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    connection: int = 0
    pieces_sent: int = 0
    finished: threading.Event = field(default_factory=threading.Event)
    disconnected: threading.Event = field(default_factory=threading.Event)

    def json(self) -> Any:
        """The body, parsed."""
        return orjson.loads(self.body)

    async def until_disconnected(self, timeout: float = WAIT) -> bool:
        """Whether the peer went away before the reply was finished, within `timeout` seconds."""
        return await asyncio.to_thread(self.disconnected.wait, timeout)

    async def until_finished(self, timeout: float = WAIT) -> bool:
        """Whether the reply was written whole within `timeout` seconds."""
        return await asyncio.to_thread(self.finished.wait, timeout)


Handler = Callable[[RecordedRequest], Reply]


class ScriptedUpstream:
    """A context manager with its own thread and loop, for sync and async tests alike.

    Replies come from the queue first (`reply`), then from the handler (`handle`, `always`).
    With neither it answers 500, so that a request no test scripted does not pass unseen. What a
    handler raises is raised again on leaving.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[RecordedRequest] = []
        self.failures: list[BaseException] = []
        self.connections = 0
        self.open_connections = 0
        self._replies: deque[Reply] = deque()
        self._handler: Handler | None = None
        self._lock = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._served: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._run, name="scripted-upstream", daemon=True)
        self._ready = threading.Event()

    def reply(self, *replies: Reply) -> Self:
        """Queue replies, each for one request."""
        with self._lock:
            self._replies.extend(replies)
        return self

    def forget(self) -> None:
        """Forget the requests that came, and what was scripted: another test begins."""
        with self._lock:
            self._replies.clear()
            self.requests = []
        self._handler = None

    def handle(self, handler: Handler) -> Self:
        """Answer what the queue does not cover by what `handler` makes of the request."""
        self._handler = handler
        return self

    def always(self, reply: Reply) -> Self:
        """Answer every request the queue does not cover with `reply`."""
        return self.handle(lambda _: reply)

    def wait_for(self, count: int, timeout: float = WAIT) -> list[RecordedRequest]:
        """The requests, once there are at least `count`; AssertionError after `timeout` s."""
        with self._lock:
            arrived = self._lock.wait_for(lambda: len(self.requests) >= count, timeout)
        assert arrived, f"{len(self.requests)} requests arrived, {count} expected"
        return self.requests

    async def until(self, count: int, timeout: float = WAIT) -> list[RecordedRequest]:
        """`wait_for` for async tests."""
        return await asyncio.to_thread(self.wait_for, count, timeout)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(WAIT), "the scripted upstream did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT)
        if self.failures and raised is None:
            raise self.failures[0]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listen = self._loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=1024)
        self._server = self._loop.run_until_complete(listen)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._shut_down())
        self._loop.close()

    async def _shut_down(self) -> None:
        assert self._server is not None
        self._server.close()
        for connection in list(self._served):
            connection.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _record(self, request: RecordedRequest) -> Reply:
        with self._lock:
            self.requests.append(request)
            self._lock.notify_all()
            if self._replies:
                return self._replies.popleft()
        if self._handler is not None:
            return self._handler(request)
        message = f"nothing scripted for {request.method} {request.path}"
        return Reply.json(error(message, type="InternalServerError", code=500), status=500)


class _Connection(asyncio.Protocol):
    """One client connection: parses requests, writes their replies in order."""

    transport: asyncio.Transport

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self._upstream = upstream
        self._parser = httptools.HttpRequestParser(self)
        self._arriving = RecordedRequest()
        self._answering: RecordedRequest | None = None
        self._requests: asyncio.Queue[RecordedRequest] = asyncio.Queue()
        self._writable = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        # No buffer of our own: what counts as sent has reached the kernel.
        self.transport.set_write_buffer_limits(high=0)
        self._writable.set()
        self._upstream.connections += 1
        self._upstream.open_connections += 1
        self._number = self._upstream.connections
        self._upstream._served.add(self)
        self._task = asyncio.get_running_loop().create_task(self._answer_all())
        self._task.add_done_callback(self._answered)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.open_connections -= 1
        self._upstream._served.discard(self)
        if self._answering is not None and not self._answering.finished.is_set():
            self._answering.disconnected.set()
        if self._task is not None:
            self._task.cancel()

    # What httptools calls while it parses.
    def on_message_begin(self) -> None:
        self._arriving = RecordedRequest(connection=self._number)

    def on_url(self, url: bytes) -> None:
        self._arriving.path += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._arriving.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._arriving.body += body

    def on_message_complete(self) -> None:
        self._arriving.method = self._parser.get_method().decode("latin-1")
        self._requests.put_nowait(self._arriving)

    def abort(self) -> None:
        """Reset the connection: the peer sees ECONNRESET, not an end."""
        sock = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    async def _answer_all(self) -> None:
        while not self.transport.is_closing():
            request = await self._requests.get()
            self._answering = request
            await self._answer(request, self._upstream._record(request))

    def _answered(self, task: asyncio.Task[None]) -> None:
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            self._upstream.failures.append(failure)
            self.abort()

    async def _answer(self, request: RecordedRequest, reply: Reply) -> None:
        head, pieces = reply.wire()
        await asyncio.sleep(reply.delay)
        match reply.fault:
            case Fault.HANG_BEFORE_HEAD:
                await asyncio.Event().wait()
            case Fault.CLOSE_BEFORE_HEAD:
                leave: Callable[[], None] | None = self.transport.close
            case Fault.RESET_BEFORE_HEAD:
                leave = self.abort
            case _:
                await self._write(head)
                for piece in pieces:
                    await self._write_piece(piece)
                    request.pieces_sent += 1
                leave = await self._finish_body(reply)
        # Marked first: a connection that we close is not a peer that went away.
        request.finished.set()
        if leave is not None:
            leave()

    async def _finish_body(self, reply: Reply) -> Callable[[], None] | None:
        """What follows the last piece; returns how to leave the connection, if at all."""
        match reply.fault:
            case Fault.HANG_MID_BODY:
                await asyncio.Event().wait()
            case Fault.RESET_MID_BODY:
                return self.abort
            case Fault.CLOSE_MID_BODY:
                return self.transport.close
        await self._write(reply.end)
        return self.transport.close if reply.closes else None

    async def _write_piece(self, piece: Piece) -> None:
        await asyncio.sleep(piece.delay)
        while piece.gate is not None and not piece.gate.is_set():
            await asyncio.sleep(_GATE_POLL)
        await self._write(piece.data)

    async def _write(self, data: bytes) -> None:
        if data:
            self.transport.write(data)
            await self._writable.wait()


def unreachable_url() -> str:
    """A URL on this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
