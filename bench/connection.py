"""One HTTP connection to a scripted server: reads requests, leaves what is said to its children."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

import httptools


class Cancellable(Protocol):
    """A task or a timer."""

    def cancel(self) -> object: ...


class Connection(asyncio.Protocol):
    """Keep-alive; one request at a time, as every HTTP client behaves. A child has
    `on_message_complete`, and keeps in `pending` what is to end with the connection."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.url = self.body = b""
        self.pending: Cancellable | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.pending is not None:
            self.pending.cancel()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.url = self.body = b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.body += body
