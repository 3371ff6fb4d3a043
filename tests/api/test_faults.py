"""An upstream that is down, slow, hangs or sends garbage: a clear error, never a leak."""

from __future__ import annotations

import socket
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest

from tests.api.chats import CHAT, channel_text, events
from tests.api.test_bad_input import refused
from tests.support.audit import verify
from tests.support.proxy import Proxy, chat_body, until, write_policy
from tests.support.upstream import (
    Fault,
    Framing,
    Piece,
    Reply,
    ScriptedUpstream,
    chat_chunk,
    chat_chunks,
    chat_completion,
    sse,
    unreachable_url,
)

SHORT = {"connect_timeout": 1.0, "first_byte_timeout": 0.5, "between_timeout": 0.5}


@pytest.fixture
def hasty(policies: Path, upstream: ScriptedUpstream) -> Any:
    with Proxy(policies, upstream.url, upstream=SHORT) as proxy:
        yield proxy


def test_an_upstream_that_is_down(policies: Path) -> None:
    with Proxy(policies, unreachable_url(), upstream=SHORT) as proxy:
        refused(proxy.chat("x"), 502, "upstream_unreachable")
        refused(httpx.get(f"{proxy.url}/v1/models"), 502, "upstream_unreachable")
        assert httpx.get(f"{proxy.url}/readyz").status_code == 503
        assert httpx.get(f"{proxy.url}/healthz").status_code == 200


WHOLE_FAULTS = [
    (Reply(fault=Fault.HANG_BEFORE_HEAD), 504, "upstream_timeout"),
    (Reply.json(chat_completion("x"), delay=2.0), 504, "upstream_timeout"),
    (Reply(fault=Fault.GARBAGE, body=[b"\x00\x01 garbage \xff" * 20]), 502, None),
    (Reply.json(chat_completion("x"), fault=Fault.HANG_MID_BODY), 504, "upstream_timeout"),
    (Reply.json(chat_completion("x"), fault=Fault.RESET_MID_BODY), 502, "upstream_unreachable"),
    (Reply.json(chat_completion("x"), fault=Fault.CLOSE_MID_BODY), 502, "upstream_unreachable"),
    (Reply.json([1, 2]), 502, "upstream_invalid_response"),
    (Reply.json({"choices": []}), 502, "upstream_invalid_response"),
    (Reply.json({"choices": "Harry Potter"}), 502, "upstream_invalid_response"),
    (Reply.json({"choices": [{"message": {}}]}), 502, "upstream_invalid_response"),
    (Reply.json({"choices": ["Harry Potter"]}), 502, "upstream_invalid_response"),
    (Reply(body=[b"<html>Harry Potter</html>"]), 502, "upstream_invalid_response"),
    (Reply(body=[b""], framing=Framing.LENGTH), 502, "upstream_invalid_response"),
    (Reply(status=302, headers={"location": "http://127.0.0.1:1/"}), 502, "upstream_error"),
    (Reply(status=500, body=[b"oops Harry Potter"]), 500, "upstream_error"),
]


@pytest.mark.parametrize(("reply", "status", "code"), WHOLE_FAULTS)
def test_a_failing_upstream_gives_a_clear_error(
    hasty: Proxy, upstream: ScriptedUpstream, reply: Reply, status: int, code: str | None
) -> None:
    upstream.always(reply)
    response = hasty.chat("x")
    assert "Harry" not in response.text
    if code is None:
        assert response.json()["error"]["code"].startswith("upstream_")
        assert response.status_code == status
    else:
        refused(response, status, code)


@pytest.mark.parametrize("fault", [Fault.CLOSE_BEFORE_HEAD, Fault.RESET_BEFORE_HEAD])
def test_a_connection_lost_before_the_first_byte_is_tried_once_more(
    hasty: Proxy, upstream: ScriptedUpstream, fault: Fault
) -> None:
    upstream.reply(Reply(fault=fault), Reply.json(chat_completion("fine")))
    assert hasty.chat("x").json()["choices"][0]["message"]["content"] == "fine"
    assert len(upstream.requests) == 2


STREAM_FAULTS = [
    (Fault.HANG_MID_BODY, "upstream_timeout"),
    (Fault.RESET_MID_BODY, "upstream_unreachable"),
    (Fault.CLOSE_MID_BODY, "upstream_unreachable"),
]


@pytest.mark.parametrize(("fault", "code"), STREAM_FAULTS)
@pytest.mark.parametrize("held", ["Har", "ry Pot", "Harry Potter"])
def test_a_stream_that_breaks_off_ends_with_an_error_and_drops_what_was_held(
    hasty: Proxy, upstream: ScriptedUpstream, fault: Fault, code: str, held: str
) -> None:
    pieces = sse(*(chat_chunk({"content": text}) for text in ("He is ", held)))
    upstream.reply(Reply.events(pieces, fault=fault))
    raw = hasty.post(CHAT, chat_body("x", stream=True)).content
    *_, last, done = events(raw)
    assert done == "[DONE]"
    assert last["error"]["code"] == code
    sent = channel_text(b"\n".join(raw.split(b"\n\n")[:-3]), "delta", "content")
    assert sent == ("He is ry Pot" if held == "ry Pot" else "He is ")


@pytest.mark.parametrize(("fault", "code"), STREAM_FAULTS)
def test_a_stream_without_policies_that_breaks_off_ends_with_an_error_too(
    tmp_path: Path, upstream: ScriptedUpstream, fault: Fault, code: str
) -> None:
    write_policy(tmp_path, names=["Harry Potter"], applies_to={"models": ["other"]})
    upstream.reply(Reply.events(sse(*chat_chunks(["fine "])), fault=fault))
    with Proxy(tmp_path, upstream.url, upstream=SHORT) as proxy:
        raw = proxy.post(CHAT, chat_body("x", stream=True)).content
    *_, last, done = events(raw)
    assert (last["error"]["code"], done) == (code, "[DONE]")


def test_a_slow_client_is_not_a_silent_upstream(hasty: Proxy, upstream: ScriptedUpstream) -> None:
    pieces = sse(*chat_chunks(["x" * 4_000] * 4_000), done=True)
    upstream.reply(Reply.events(pieces))
    received = b""
    body = chat_body("x", stream=True)
    with httpx.stream("POST", hasty.url + CHAT, json=body, timeout=30) as response:
        chunks = response.iter_raw()
        received += next(chunks)
        time.sleep(1.5)  # longer than the upstream may be silent
        received += b"".join(chunks)
    assert received == b"".join(pieces)


GARBAGE = [
    b"data: not json Harry Potter\n\n",
    b"data: [1, 2]\n\n",
    b'data: {"choices": [{"delta": {"content": "Harry Potter"}}]}\n\n',
    b'data: {"text": "Harry Potter"}\n\n',
    b"data: \xff\xfe\n\n",
    b'data: {"error": {"message": "Harry Potter is not served", "code": 500}}\n\n',
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_inside_a_stream_ends_it_with_an_error(
    proxy: Proxy, upstream: ScriptedUpstream, garbage: bytes
) -> None:
    good = sse(*chat_chunks(["fine "])[:-1], chat_chunk({"content": "fine "}))
    upstream.reply(Reply.events([*good, garbage, *sse(*chat_chunks(["never"]), done=True)]))
    raw = proxy.post(CHAT, chat_body("x", stream=True)).content
    assert b"Harry" not in raw
    assert b"never" not in raw
    assert b"fine " in raw
    assert events(raw)[-1] == "[DONE]"
    assert events(raw)[-2]["error"]["code"].startswith("upstream_")


def test_a_compressed_upstream_is_read(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    answer = chat_completion("fine")
    upstream.reply(
        Reply.json(answer, gzip=True, framing=Framing.CHUNKED),
        Reply.events(sse(*chat_chunks(["Harry ", "Potter"]), done=True), gzip=True),
    )
    assert proxy.chat("x").content == orjson.dumps(answer)
    assert upstream.requests[0].headers["accept-encoding"] == "identity"
    raw = proxy.post(CHAT, chat_body("x", stream=True)).content
    assert channel_text(raw, "delta", "content") == ""


def test_an_answer_over_the_limit_is_refused(policies: Path, upstream: ScriptedUpstream) -> None:
    upstream.always(Reply.json(chat_completion("x" * 10_000)))
    with Proxy(policies, upstream.url, upstream={"max_answer_bytes": 2_000}) as proxy:
        refused(proxy.chat("x"), 502, "upstream_invalid_response")


@pytest.mark.parametrize("when", ["before the head", "inside the stream"])
def test_a_client_that_hangs_up_stops_the_upstream(
    proxy: Proxy, upstream: ScriptedUpstream, when: str
) -> None:
    gate = threading.Event()
    pieces: list[Any] = sse(*chat_chunks(["one ", "two "]))
    if when == "before the head":
        upstream.reply(Reply(fault=Fault.HANG_BEFORE_HEAD))
    else:
        upstream.reply(Reply.events([*pieces[:2], Piece(pieces[2], gate=gate)]))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(proxy.url + CHAT, json=chat_body("x", stream=True), timeout=0.6)
    assert upstream.wait_for(1)[0].disconnected.wait(5)
    gate.set()
    until(lambda: proxy.worker.state.limits._mine[0] == 0, "the request has left")


def test_many_clients_that_hang_up_leave_nothing_behind(
    proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    upstream.always(Reply.events(sse(*chat_chunks(["x "] * 500), done=True), spacing=0.01))

    def ask_and_go() -> None:
        with httpx.stream("POST", proxy.url + CHAT, json=chat_body("x", stream=True)) as response:
            next(response.iter_raw())

    threads = [threading.Thread(target=ask_and_go) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(request.disconnected.wait(5) for request in upstream.wait_for(20))
    until(lambda: proxy.worker.state.limits._mine[0] == 0, "all requests have left")


def test_too_many_requests_at_once_get_a_429(policies: Path, upstream: ScriptedUpstream) -> None:
    upstream.always(Reply.json(chat_completion("fine"), delay=1.0))
    with Proxy(policies, upstream.url, limits={"max_in_flight": 1}) as proxy:
        first = threading.Thread(target=lambda: proxy.chat("x"))
        first.start()
        upstream.wait_for(1)
        response = proxy.chat("x")
        refused(response, 429, "too_many_requests")
        assert response.headers["retry-after"]
        first.join()
        assert proxy.chat("x").status_code == 200


def test_a_body_that_does_not_come_gives_its_place_back(
    policies: Path, upstream: ScriptedUpstream
) -> None:
    upstream.always(Reply.json(chat_completion("fine")))
    limits = {"max_in_flight": 1, "body_timeout": 0.3}
    with Proxy(policies, upstream.url, limits=limits) as proxy:
        place = urlsplit(proxy.url)
        with socket.create_connection((place.hostname, place.port), timeout=10) as raw:
            head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"
            raw.sendall(head.encode())
            answer = b"".join(iter(lambda: raw.recv(65_536), b""))  # until it is closed
        assert b" 408 " in answer.splitlines()[0]
        assert b"body_timeout" in answer
        assert proxy.chat("x").status_code == 200


def test_an_audit_log_that_cannot_be_written_gives_no_answer(
    policies: Path, upstream: ScriptedUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.always(Reply.json(chat_completion("He is Harry Potter")))
    with Proxy(policies, upstream.url, audit=tmp_path / "audit.jsonl") as proxy:

        def full(*_: Any) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("guard.audit.os.write", full)
        refused(proxy.chat("Who is Harry Potter?"), 503, "guard_unavailable")
        refused(proxy.chat("x"), 503, "guard_unavailable")
        monkeypatch.undo()
        assert proxy.chat("Who is Harry Potter?").status_code == 200


def test_a_slow_answer_is_not_cut_by_the_silence_limit(
    hasty: Proxy, upstream: ScriptedUpstream
) -> None:
    pieces = sse(*chat_chunks(["a ", "b ", "c "]), done=True)
    upstream.reply(Reply.events(pieces, spacing=0.3))
    started = time.monotonic()
    raw = hasty.post(CHAT, chat_body("x", stream=True)).content
    assert raw == b"".join(pieces)
    assert time.monotonic() - started > SHORT["between_timeout"]


@pytest.mark.parametrize("days", [-4000, 4000])
def test_a_clock_that_jumps_ends_no_policy_and_breaks_no_record(
    policies: Path,
    upstream: ScriptedUpstream,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
) -> None:
    upstream.always(Reply.json(chat_completion("He is Harry Potter")))
    log = tmp_path / "audit.jsonl"
    with Proxy(policies, upstream.url, audit=log) as proxy:

        def answers() -> list[str]:
            said = [proxy.chat(prompt).json() for prompt in ("Who is Harry Potter?", "x")]
            return [answer["choices"][0]["message"]["content"] for answer in said]

        before, real = answers(), datetime.now
        jump = timedelta(days=days)
        clock = type("Clock", (datetime,), {"now": lambda zone=None: real(zone) + jump})
        monkeypatch.setattr("guard.enforcement.datetime", clock)
        monkeypatch.setattr("guard.audit.datetime", clock)
        assert answers() == before == ["I can't help with that.", "He is "]
        monkeypatch.undo()
        assert answers() == before
    assert verify(log) == (6, None)
