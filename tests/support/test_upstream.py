"""The scripted upstream sends what a test scripts, seen through a raw socket and a real client."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import aiohttp
import httpx
import pytest

from tests.support.upstream import (
    Fault,
    Framing,
    Piece,
    RecordedRequest,
    Reply,
    ScriptedUpstream,
    error,
    sse,
    unreachable_url,
)

PROMPT = b'{"prompt": "hello"}'
TWO = [b"one", b"two"]


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as server:
        yield server


def raw_exchange(url: str, timeout: float = 5.0) -> bytes:
    """Everything the server sends for one POST until it closes; b"<reset>" at the end if reset."""
    with dial(url, timeout) as sock:
        return read_all(sock)


def dial(url: str, timeout: float = 5.0) -> socket.socket:
    place = urlsplit(url)
    sock = socket.create_connection((place.hostname, place.port), timeout)
    sock.sendall(
        b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
        % (len(PROMPT), PROMPT)
    )
    return sock


def read_all(sock: socket.socket) -> bytes:
    received = b""
    try:
        while data := sock.recv(65536):
            received += data
    except ConnectionResetError:
        return received + b"<reset>"
    return received


@pytest.mark.parametrize(
    ("reply", "wire"),
    [
        pytest.param(
            Reply(body=TWO, close=True),
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
            b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n",
            id="chunked",
        ),
        pytest.param(
            Reply(body=TWO, framing=Framing.LENGTH, status=404, close=True),
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 6\r\nconnection: close\r\n\r\nonetwo",
            id="content-length",
        ),
        pytest.param(
            Reply(body=TWO, framing=Framing.CLOSE, headers={"x-a": "b"}),
            b"HTTP/1.1 200 OK\r\nx-a: b\r\nconnection: close\r\n\r\nonetwo",
            id="close-delimited",
        ),
        pytest.param(Reply(body=TWO, fault=Fault.GARBAGE), b"onetwo", id="garbage"),
        pytest.param(Reply(fault=Fault.CLOSE_BEFORE_HEAD), b"", id="closed before the head"),
        pytest.param(Reply(fault=Fault.RESET_BEFORE_HEAD), b"<reset>", id="reset before the head"),
        pytest.param(
            Reply(body=TWO, fault=Fault.CLOSE_MID_BODY),
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n",
            id="no terminal chunk",
        ),
        pytest.param(
            Reply(body=TWO, fault=Fault.CLOSE_MID_BODY, framing=Framing.LENGTH),
            b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nonetwo",
            id="short content-length",
        ),
        pytest.param(
            Reply(body=TWO, fault=Fault.RESET_MID_BODY, framing=Framing.LENGTH),
            b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nonetwo<reset>",
            id="reset in the body",
        ),
    ],
)
def test_sends_the_scripted_bytes_and_nothing_else(
    upstream: ScriptedUpstream, reply: Reply, wire: bytes
) -> None:
    upstream.reply(reply)
    assert raw_exchange(upstream.url) == wire


@pytest.mark.parametrize(
    ("reply", "received"),
    [
        (Reply(fault=Fault.HANG_BEFORE_HEAD), b""),
        (
            Reply(body=TWO, fault=Fault.HANG_MID_BODY, framing=Framing.LENGTH),
            b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nonetwo",
        ),
    ],
    ids=["before the head", "in the body"],
)
def test_a_hang_keeps_the_connection_open_and_sees_the_peer_leave(
    upstream: ScriptedUpstream, reply: Reply, received: bytes
) -> None:
    upstream.reply(reply)
    with dial(upstream.url, timeout=0.3) as sock:
        seen = b""
        while len(seen) < len(received):
            seen += sock.recv(65536)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        request = upstream.requests[0]
        assert not request.disconnected.is_set()
    assert seen == received
    assert request.disconnected.wait(5)
    assert not request.finished.is_set()


def test_records_requests_in_order_on_one_connection(upstream: ScriptedUpstream) -> None:
    upstream.always(Reply.json({"ok": True}))
    with httpx.Client(base_url=upstream.url) as client:
        client.post("/v1/a?b=c", content=iter([b"in ", b"chunks"]), headers={"X-Key": "K"})
        client.get("/v1/models")
    first, second = upstream.wait_for(2)
    assert (first.method, first.path, first.body) == ("POST", "/v1/a?b=c", b"in chunks")
    assert first.headers["x-key"] == "K"
    assert (second.method, second.path, second.body) == ("GET", "/v1/models", b"")
    assert (first.connection, second.connection, upstream.connections) == (1, 1, 1)


def test_a_finished_reply_is_no_disconnect(upstream: ScriptedUpstream) -> None:
    upstream.reply(Reply(body=TWO))
    httpx.post(upstream.url, content=PROMPT)
    request = upstream.requests[0]
    assert request.finished.wait(5)
    assert not request.disconnected.is_set()


def test_queue_first_then_handler_then_an_error(upstream: ScriptedUpstream) -> None:
    upstream.reply(Reply.json({"from": "queue"}))
    assert httpx.get(upstream.url).json() == {"from": "queue"}
    assert httpx.get(upstream.url + "/x").status_code == 500
    upstream.handle(lambda request: Reply.json({"path": request.path}, status=201))
    answer = httpx.get(upstream.url + "/x")
    assert (answer.status_code, answer.json()) == (201, {"path": "/x"})


def test_a_handler_that_raises_fails_the_test_that_wrote_it() -> None:
    def handler(request: RecordedRequest) -> Reply:
        raise LookupError(request.path)

    with pytest.raises(LookupError, match="/v1/x"), ScriptedUpstream() as upstream:
        upstream.handle(handler)
        with pytest.raises(httpx.ReadError):
            httpx.get(upstream.url + "/v1/x")


def test_gzip_pieces_can_be_decoded_one_by_one_and_together(upstream: ScriptedUpstream) -> None:
    upstream.reply(Reply.events(sse("a", "b"), gzip=True))
    with httpx.stream("GET", upstream.url) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == b"data: a\n\ndata: b\n\n"
    assert gzip.decompress(raw[: raw.index(b"\x1f\x8b", 1)]) == b"data: a\n\n"


async def test_a_gate_holds_a_piece_until_the_test_opens_it(upstream: ScriptedUpstream) -> None:
    gate = threading.Event()
    upstream.reply(Reply.events([b"first", Piece(b"second", gate=gate)]))
    async with aiohttp.ClientSession() as session, session.get(upstream.url) as answer:
        assert await answer.content.readany() == b"first"
        assert not await upstream.requests[0].until_finished(0.1)
        gate.set()
        assert await answer.content.readany() == b"second"
    assert await upstream.requests[0].until_finished()


async def test_a_slow_reader_holds_the_writer_back(upstream: ScriptedUpstream) -> None:
    upstream.reply(Reply(body=[b"x" * 1_000_000] * 64))
    async with aiohttp.ClientSession() as session, session.get(upstream.url) as answer:
        request = upstream.requests[0]
        assert not await request.until_finished(0.2)
        assert request.pieces_sent < 64
        received = await answer.read()
        assert await request.until_finished()
    assert len(received) == 64_000_000
    assert request.pieces_sent == 64


def test_sse_frames_dicts_strings_and_bytes() -> None:
    assert sse({"a": 1}, "b", b": comment\n\n", done=True) == [
        b'data: {"a":1}\n\n',
        b"data: b\n\n",
        b": comment\n\n",
        b"data: [DONE]\n\n",
    ]


def test_nobody_listens_at_the_unreachable_url() -> None:
    with pytest.raises(httpx.ConnectError):
        httpx.get(unreachable_url())


def test_errors_have_vllms_shape() -> None:
    assert error("too long", code=413)["error"] == {
        "message": "too long",
        "type": "BadRequestError",
        "param": None,
        "code": 413,
    }
