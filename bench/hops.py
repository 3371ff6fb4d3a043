"""The two bare Python hops that the proxy is held against: forward, and do nothing else.

    BENCH_UPSTREAM=http://127.0.0.1:9000 uvicorn bench.hops:starlette_aiohttp

Both pool their connections and stream what streams; neither parses, checks, counts or logs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator

import aiohttp
import httpx
from fastapi import FastAPI
from fastapi import Request as FastAPIRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

UPSTREAM = os.environ.get("BENCH_UPSTREAM", "http://127.0.0.1:9000")
POOL = 1024
FORWARDED = ("content-type", "authorization", "accept")


def _headers(request: Request) -> dict[str, str]:
    return {name: request.headers[name] for name in FORWARDED if name in request.headers}


@contextlib.asynccontextmanager
async def _aiohttp_session(app: Starlette) -> AsyncIterator[None]:
    connector = aiohttp.TCPConnector(limit=POOL)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        app.state.session = session
        yield


async def _with_aiohttp(request: Request) -> Response:
    session: aiohttp.ClientSession = request.app.state.session
    answer = await session.post(
        UPSTREAM + request.url.path, data=await request.body(), headers=_headers(request)
    )
    kind = answer.headers.get("content-type", "")
    if not kind.startswith("text/event-stream"):
        return Response(await answer.read(), answer.status, media_type=kind)

    async def chunks() -> AsyncIterator[bytes]:
        async with answer:
            async for chunk in answer.content.iter_any():
                yield chunk

    return StreamingResponse(chunks(), answer.status, media_type=kind)


starlette_aiohttp = Starlette(
    routes=[Route("/{path:path}", _with_aiohttp, methods=["POST"])], lifespan=_aiohttp_session
)


@contextlib.asynccontextmanager
async def _httpx_client(app: FastAPI) -> AsyncIterator[None]:
    limits = httpx.Limits(max_connections=POOL, max_keepalive_connections=POOL)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        app.state.client = client
        yield


fastapi_httpx = FastAPI(lifespan=_httpx_client)


@fastapi_httpx.post("/{path:path}")
async def with_httpx(request: FastAPIRequest) -> Response:
    """Forward one request with httpx."""
    client: httpx.AsyncClient = request.app.state.client
    sent = client.build_request(
        "POST",
        UPSTREAM + request.url.path,
        content=await request.body(),
        headers=_headers(request),
    )
    answer = await client.send(sent, stream=True)
    kind = answer.headers.get("content-type", "")
    if not kind.startswith("text/event-stream"):
        content = await answer.aread()
        await answer.aclose()
        return Response(content, answer.status_code, media_type=kind)

    async def chunks() -> AsyncIterator[bytes]:
        try:
            async for chunk in answer.aiter_raw():
                yield chunk
        finally:
            await answer.aclose()

    return StreamingResponse(chunks(), answer.status_code, media_type=kind)
