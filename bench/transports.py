"""HTTP client libraries behind one small interface, for `bench/transport.py`.

Each is set up as a proxy would use it: one pooled session, no redirects, no cookies kept, no
decoding of the body, bytes handed on as they arrive.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

Headers = dict[str, str]
Chunks = AsyncIterator[bytes]
Send = Callable[[bytes], AbstractAsyncContextManager[Chunks]]
Transport = Callable[[str, float], AbstractAsyncContextManager[Send]]

HEADERS = {
    "content-type": "application/json",
    "accept": "*/*",
    "accept-encoding": "identity",
    "authorization": "Bearer sk-bench",
}
CONNECTIONS = 256


@asynccontextmanager
async def with_aiohttp(url: str, read_timeout: float) -> AsyncIterator[Send]:
    import aiohttp

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, use_dns_cache=True),
        timeout=aiohttp.ClientTimeout(total=None, connect=5, sock_read=read_timeout),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )

    @asynccontextmanager
    async def send(body: bytes) -> AsyncIterator[Chunks]:
        async with session.post(url, data=body, headers=HEADERS, allow_redirects=False) as answer:
            yield answer.content.iter_any()

    async with session:
        yield send


@asynccontextmanager
async def with_httpx(url: str, read_timeout: float) -> AsyncIterator[Send]:
    import httpx

    client = httpx.AsyncClient(
        limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        timeout=httpx.Timeout(5, read=read_timeout),
    )

    @asynccontextmanager
    async def send(body: bytes) -> AsyncIterator[Chunks]:
        async with client.stream("POST", url, content=body, headers=HEADERS) as answer:
            yield answer.aiter_raw()

    async with client:
        yield send


@asynccontextmanager
async def with_httpx2(url: str, read_timeout: float) -> AsyncIterator[Send]:
    import httpx2

    client = httpx2.AsyncClient(
        limits=httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        timeout=httpx2.Timeout(5, read=read_timeout),
    )

    @asynccontextmanager
    async def send(body: bytes) -> AsyncIterator[Chunks]:
        async with client.stream("POST", url, content=body, headers=HEADERS) as answer:
            yield answer.aiter_raw()

    async with client:
        yield send


@asynccontextmanager
async def with_niquests(url: str, read_timeout: float) -> AsyncIterator[Send]:
    import niquests  # type: ignore[import-not-found,unused-ignore]

    session = niquests.AsyncSession(pool_maxsize=CONNECTIONS, pool_connections=8)
    # Its urllib3 is a fork that may install beside or over urllib3; HTTP/1.1 only, like the rest.
    session.trust_env = False

    @asynccontextmanager
    async def send(body: bytes) -> AsyncIterator[Chunks]:
        answer = await session.post(
            url,
            data=body,
            headers=HEADERS,
            stream=True,
            allow_redirects=False,
            timeout=(5, read_timeout),
        )
        try:
            yield await _raw_niquests(answer)
        finally:
            await answer.close()

    async with session:
        yield send


async def _raw_niquests(answer: object) -> Chunks:
    raw = answer.raw  # type: ignore[attr-defined]

    async def chunks() -> Chunks:
        # -1: whatever has arrived; decode_content off, so that the bytes stay the server's.
        while data := await raw.read1(-1, decode_content=False):
            yield data

    return chunks()


@asynccontextmanager
async def with_pyreqwest(url: str, read_timeout: float) -> AsyncIterator[Send]:
    from pyreqwest.client import (  # type: ignore[import-not-found,unused-ignore]
        ClientBuilder,
    )

    client = (
        ClientBuilder()
        .max_connections(CONNECTIONS)
        .pool_max_idle_per_host(CONNECTIONS)
        .connect_timeout(timedelta(seconds=5))
        .read_timeout(timedelta(seconds=read_timeout))
        .gzip(False)
        .build()
    )

    @asynccontextmanager
    async def send(body: bytes) -> AsyncIterator[Chunks]:
        # By default it waits until a buffer is full before it shows the head.
        request = client.post(url).headers(HEADERS).body_bytes(body)
        request = request.streamed_read_buffer_limit(0)
        async with request.build_streamed() as answer:

            async def chunks() -> Chunks:
                while (data := await answer.body_reader.read_chunk()) is not None:
                    yield bytes(data)

            yield chunks()

    async with client:
        yield send


TRANSPORTS: dict[str, Transport] = {
    "aiohttp": with_aiohttp,
    "httpx": with_httpx,
    "httpx2": with_httpx2,
    "niquests": with_niquests,
    "pyreqwest": with_pyreqwest,
}


async def drain(send: Send, body: bytes) -> tuple[int, int]:
    """One exchange to its end: bytes of the answer, and in how many reads they came."""
    size = reads = 0
    async with send(body) as chunks:
        async for chunk in chunks:
            size += len(chunk)
            reads += 1
    return size, reads


async def drain_many(send: Send, body: bytes, concurrency: int, seconds: float) -> list[float]:
    """Closed loop of `concurrency` senders for `seconds`; how long each exchange took, in s."""
    times: list[float] = []
    # Not the loop's clock: uvloop's has a resolution of a millisecond.
    until = time.perf_counter() + seconds

    async def sender() -> None:
        while (started := time.perf_counter()) < until:
            await drain(send, body)
            times.append(time.perf_counter() - started)

    await asyncio.gather(*(sender() for _ in range(concurrency)))
    return times
