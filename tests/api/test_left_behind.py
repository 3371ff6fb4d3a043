"""What a request leaves in memory once it has ended: nothing, without a collection.

A request that is part of a cycle stays until Python looks for cycles, with the buffers that its
answer was read with. Long streams reach the oldest generation, which is looked at seldom.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from guard.api.stream import AnswerFilter
from guard.call import Call
from guard.restrict import HoldBack
from tests.api.test_detection import ScriptedNearest, script
from tests.api.test_reason import Model, reason
from tests.api.typed import MESSAGES, RESPONSES, Typed
from tests.support.proxy import Proxy, chat_body, until, write_policy
from tests.support.typed_answers import named
from tests.support.upstream import (
    Fault,
    Reply,
    ScriptedUpstream,
    chat_chunks,
    sse,
    unreachable_url,
)

FORBIDDEN = ("I think ", "it was Harry", " Potter who", " did it.")
SHORT = {"connect_timeout": 1.0, "first_byte_timeout": 0.5, "between_timeout": 0.5}


def _held() -> Counter[str]:
    """What there is of requests, and of the filters of their answers."""
    kinds = (Call, AnswerFilter, HoldBack)
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, kinds))


@contextmanager
def nothing_left() -> Iterator[None]:
    """No request of this block is left after it, though nobody looks for cycles."""
    gc.collect()
    before = _held()
    gc.disable()
    try:
        yield
        until(lambda: not _held() - before, f"gone: {_held() - before}")
    finally:
        gc.enable()


def stream(proxy: Proxy, body: Any, path: str = "/v1/chat/completions") -> bytes:
    """The answer to a streamed request, as far as it comes."""
    found = b""
    url = proxy.url + path
    with httpx.stream("POST", url, json={**body, "stream": True}) as response:
        for chunk in response.iter_raw():
            found += chunk
    return found


BROKEN = sse(*chat_chunks(["Hello", " there."]))[:-1]
STREAMS = {
    "benign": Reply.events(sse(*chat_chunks(["Hello", " there."]), done=True)),
    "cut": Reply.events(sse(*chat_chunks(FORBIDDEN), done=True)),
    "garbage": Reply.events([*BROKEN, b"data: not json\n\n"]),
    "an error in it": Reply.events([*BROKEN, b'data: {"error": {"message": "x"}}\n\n']),
    "broken off": Reply.events(BROKEN, fault=Fault.RESET_MID_BODY),
    "gone silent": Reply.events(BROKEN, fault=Fault.HANG_MID_BODY),
    "not there": Reply(status=500, body=[b"oops"]),
}


@pytest.mark.parametrize("reply", STREAMS.values(), ids=STREAMS.keys())
def test_a_stream_that_has_ended_is_gone(
    policies: Path, upstream: ScriptedUpstream, reply: Reply
) -> None:
    upstream.always(reply)
    with Proxy(policies, upstream.url, upstream=SHORT) as proxy, nothing_left():
        for _ in range(3):
            assert stream(proxy, chat_body("x"))


def test_a_stream_that_its_client_left_is_gone(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    upstream.always(Reply.events(sse(*chat_chunks(["Hello "] * 100), done=True), spacing=0.05))
    with nothing_left():
        body = {**chat_body("x"), "stream": True}
        url = f"{proxy.url}/v1/chat/completions"
        with httpx.stream("POST", url, json=body) as response:
            assert next(response.iter_raw())


@pytest.mark.parametrize("typed", [RESPONSES, MESSAGES], ids=str)
def test_a_stream_of_typed_events_is_gone(
    proxy: Proxy, upstream: ScriptedUpstream, typed: Typed
) -> None:
    upstream.always(Reply.events(named(typed.events([("text", FORBIDDEN)]))))
    with nothing_left():
        assert stream(proxy, typed.body("x"), typed.path)


def test_a_reasoned_request_is_gone(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    reason(tmp_path)
    upstream.handle(Model())
    with Proxy(tmp_path, upstream.url) as proxy, nothing_left():
        assert stream(proxy, chat_body("Where was Marie Curie born?"))


@pytest.mark.encoder
@pytest.mark.parametrize("score", [0.0, 1.0, OSError("no encoder")], ids=str)
def test_a_request_is_gone_whose_upstream_call_failed_beside_its_verdict(
    tmp_path: Path, score: Any
) -> None:
    write_policy(tmp_path, prompts=["Who found radium?"])
    with Proxy(tmp_path, unreachable_url(), upstream=SHORT) as proxy:
        script(proxy, ScriptedNearest(score))
        with nothing_left():
            assert proxy.chat("Who was it?").status_code
