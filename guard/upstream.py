"""The pooled client to the model server: time-outs, cancellation, one retry before the first byte.

aiohttp is the transport (docs/decisions/0005): bytes come as they arrive, and closing a reply
closes its socket, which is how vLLM learns that nobody waits any longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp

from guard.errors import UpstreamGarbage, UpstreamTimeout, UpstreamUnreachable

# Headers of an upstream answer that a client may see; all else is the engine's business.
_FORWARDED = frozenset({"content-type", "x-request-id", "retry-after"})
_DRAIN_SECONDS = 1.0
# vLLM closes what was idle for 5 s: a request must not meet a connection that is just closing.
_IDLE_SECONDS = 4.0
_CLOSED_EARLY = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


@dataclass(frozen=True, slots=True)
class UpstreamOptions:
    """Where the model server is. Time-outs in seconds, sizes in bytes.

    `first_byte`: from sending the request to the answer's head (a whole answer is computed before
    its head); `between`: the longest silence inside an answer.
    """

    url: str
    api_key: str | None = None
    connect: float = 5.0
    first_byte: float = 600.0
    between: float = 120.0
    max_answer: int = 64 * 1024 * 1024
    connections: int = 1024


class _Silence:
    """Closes a response when it has been silent too long.

    One timer an answer, which looks at the clock now and then: a timer a chunk would cost more
    than reading it.
    """

    def __init__(self, response: aiohttp.ClientResponse, seconds: float) -> None:
        self._response = response
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._timer = self._loop.call_later(seconds, self._look)
        self._waiting = True
        self.expired = False

    def listen(self) -> None:
        """Waiting for the next bytes begins."""
        self._last = self._loop.time()
        self._waiting = True

    def heard(self) -> None:
        """Something has arrived; until `listen` it is the client who takes time."""
        self._waiting = False

    def stop(self) -> None:
        """The answer has ended."""
        self._timer.cancel()

    def _look(self) -> None:
        left = self._last + self._seconds - self._loop.time()
        if not self._waiting:
            left = self._seconds
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self.expired = True
            self._response.close()


class Reply:
    """An answer whose head has come. Read it whole or piece by piece; always `close` it."""

    def __init__(self, response: aiohttp.ClientResponse, options: UpstreamOptions) -> None:
        self._response = response
        self._options = options
        self.status = response.status
        self.headers = {
            name: response.headers[name] for name in _FORWARDED if name in response.headers
        }

    @property
    def is_event_stream(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    async def read(self) -> bytes:
        """The whole body. Raises UpstreamTimeout, UpstreamUnreachable or UpstreamGarbage."""
        content = self._response.content
        if content.is_eof() and content.exception() is None:
            # A small answer has come with its head: nothing to wait for, nothing to time.
            whole = content.read_nowait()
            if len(whole) > self._options.max_answer:
                raise UpstreamGarbage("the model server's answer is too large")
            return whole
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > self._options.max_answer:
                raise UpstreamGarbage("the model server's answer is too large")
        return bytes(body)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives, in the network's own pieces. Raises as `read`."""
        silence = _Silence(self._response, self._options.between)
        content = self._response.content
        try:
            while chunk := await content.readany():
                silence.heard()
                yield chunk
                silence.listen()
        except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError):
            if silence.expired:
                raise UpstreamTimeout("the model server stopped sending") from None
            raise UpstreamUnreachable("the model server broke off its answer") from None
        finally:
            silence.stop()
        if silence.expired:
            raise UpstreamTimeout("the model server stopped sending")

    async def drain(self) -> None:
        """Read the end of a body whose content has ended, so that its connection can serve again.

        Gives up after a moment: `close` then closes the socket.
        """
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while await self._response.content.readany():
                    pass
        except (TimeoutError, aiohttp.ClientError):
            return

    def close(self) -> None:
        """Close the socket unless the answer was read to its end; vLLM then stops generating."""
        self._response.close()


class Upstream:
    """One pool for a worker. An async context manager."""

    def __init__(self, options: UpstreamOptions) -> None:
        self.options = options
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=self.options.connections, ttl_dns_cache=60, keepalive_timeout=_IDLE_SECONDS
        )
        headers = {"Accept-Encoding": "identity"}
        if self.options.api_key:
            headers["Authorization"] = f"Bearer {self.options.api_key}"
        self._session = aiohttp.ClientSession(
            base_url=self.options.url.rstrip("/") + "/",
            connector=connector,
            headers=headers,
            skip_auto_headers=("User-Agent", "Accept"),
            # The longest silence differs before and inside an answer, so it is timed here.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.options.connect),
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),  # nothing of one caller's answer goes to another
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str) -> Reply:
        """GET a path. Raises as `post`."""
        return await self._request("GET", path, None, {})

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """POST a JSON body.

        Raises UpstreamUnreachable when there is no connection, UpstreamTimeout when no answer
        begins in time, UpstreamGarbage when what comes is not HTTP. A connection that the server
        closed before the first byte (a stale keep-alive, a restart) is tried once more.
        """
        return await self._request(
            "POST", path, body, {"Content-Type": "application/json", **headers}
        )

    async def _request(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Reply:
        try:
            async with asyncio.timeout(self.options.first_byte):
                try:
                    response = await self._send(method, path, body, headers)
                except _CLOSED_EARLY:
                    response = await self._send(method, path, body, headers)
        except TimeoutError:
            raise UpstreamTimeout("the model server did not answer in time") from None
        except aiohttp.ClientConnectionError:
            raise UpstreamUnreachable("the model server cannot be reached") from None
        except (aiohttp.ClientError, ValueError):
            raise UpstreamGarbage("the model server's answer is not HTTP") from None
        return Reply(response, self.options)

    async def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        assert self._session is not None, "an Upstream is used as a context manager"
        # A redirect would carry a prompt to somewhere nobody configured.
        return await self._session.request(
            method, path.lstrip("/"), data=body, headers=headers, allow_redirects=False
        )
