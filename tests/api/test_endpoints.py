"""Chat and completions end to end: benign bytes untouched, unknown fields out.

The upstream is scripted, so what a client gets can be compared byte for byte with what it sent.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.api.chats import (
    BENIGN,
    CHAT,
    COMPLETIONS,
    channel_text,
    completion_body,
    finishes,
    stream_bytes,
)
from tests.support.policies import PASSAGE
from tests.support.proxy import Proxy, chat_body, write_policy
from tests.support.upstream import (
    Reply,
    ScriptedUpstream,
    chat_chunk,
    chat_chunks,
    chat_completion,
    completion_chunks,
    sse,
    text_completion,
)

WHOLE = [
    (CHAT, chat_body("Tell me"), chat_completion("".join(BENIGN))),
    (CHAT, chat_body("Tell me", n=3), chat_completion("one", "two", "".join(BENIGN))),
    (CHAT, chat_body([{"type": "text", "text": "Tell"}]), chat_completion("parts")),
    (COMPLETIONS, completion_body("Once"), text_completion("".join(BENIGN))),
    (COMPLETIONS, completion_body(["a", "b"]), text_completion("one", "two")),
]


@pytest.mark.parametrize(("path", "body", "answer"), WHOLE)
def test_a_benign_answer_is_the_upstreams_own_bytes(
    proxy: Proxy, upstream: ScriptedUpstream, path: str, body: Any, answer: Any
) -> None:
    upstream.reply(Reply.json(answer))
    response = proxy.post(path, body)
    assert response.status_code == 200
    assert response.content == orjson.dumps(answer)


STREAMS = [
    (CHAT, chat_body("Tell me"), sse(*chat_chunks(BENIGN), done=True)),
    (CHAT, chat_body("x", n=2), sse(*chat_chunks(BENIGN, n=2, with_usage=True), done=True)),
    (CHAT, chat_body("x"), sse(*chat_chunks(BENIGN, field="reasoning"), done=True)),
    (COMPLETIONS, completion_body("x"), sse(*completion_chunks(BENIGN, n=2), done=True)),
    (CHAT, chat_body("x"), [b": keep-alive\n\n", *sse(*chat_chunks(BENIGN), done=True)]),
    (CHAT, chat_body("x"), [e.replace(b"\n", b"\r\n") for e in sse(*chat_chunks(BENIGN))]),
    (CHAT, chat_body("x"), sse(*chat_chunks(["data: [DONE]\n\n", "data: x"]), done=True)),
    (CHAT, chat_body("x"), sse(*chat_chunks(BENIGN))),  # no end mark
]


@pytest.mark.parametrize(("path", "body", "pieces"), STREAMS)
def test_a_benign_stream_is_the_upstreams_own_bytes(
    proxy: Proxy, upstream: ScriptedUpstream, path: str, body: Any, pieces: list[bytes]
) -> None:
    upstream.reply(Reply.events(pieces))
    assert stream_bytes(proxy, path, body) == b"".join(pieces)


def test_the_upstream_gets_the_clients_own_bytes(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    upstream.always(Reply.json(chat_completion("fine")))
    body = b'{ "model":"m",\n "messages" : [{"role":"user","content":"hi \\u00fc"}], "seed": 1 }'
    proxy.post(CHAT, body)
    assert upstream.requests[0].body == body


def test_a_caller_without_policies_gets_everything_untouched(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    write_policy(tmp_path, names=["Harry Potter"], applies_to={"models": ["other"]})
    answer = chat_completion("Harry Potter", logprobs={"content": []})
    with Proxy(tmp_path, upstream.url) as proxy:
        upstream.always(Reply.json(answer))
        body = chat_body("Who is Harry Potter?", logprobs=True, top_logprobs=3)
        assert proxy.post(CHAT, body).content == orjson.dumps(answer)


def test_a_caller_with_only_shadow_policies_gets_everything_untouched(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    write_policy(tmp_path, names=["Harry Potter"], texts=[PASSAGE], mode="shadow")
    whole = chat_completion(f"Harry Potter: {PASSAGE}", logprobs={"content": []})
    garbage = b"data: not json\n\n: Harry Potter\n\n"
    pieces = [*sse(*chat_chunks(["Harry ", "Potter ", PASSAGE])), garbage]
    upstream.reply(Reply.json(whole), Reply.json(["odd"]), Reply.events(pieces))
    with Proxy(tmp_path, upstream.url) as proxy:
        assert proxy.chat("Harry Potter?", logprobs=True).content == orjson.dumps(whole)
        assert proxy.chat("x").content == b'["odd"]'
        assert stream_bytes(proxy, CHAT, chat_body("x")) == b"".join(pieces)


@pytest.mark.parametrize("body", [chat_body("x"), chat_body("x", n=2)])
def test_a_streams_connection_serves_again(
    proxy: Proxy, upstream: ScriptedUpstream, body: Any
) -> None:
    upstream.always(Reply.events(sse(*chat_chunks(BENIGN, n=2), done=True)))
    for _ in range(5):
        stream_bytes(proxy, CHAT, body)
    assert len({request.connection for request in upstream.requests}) == 1


def test_nothing_follows_the_end_mark(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    pieces = sse(*chat_chunks(BENIGN), done=True)
    late = sse(*chat_chunks(["Harry Potter, late"]), done=True)
    upstream.reply(Reply.events([*pieces, *late]))
    assert stream_bytes(proxy, CHAT, chat_body("x")) == b"".join(pieces)


def test_a_shadow_policy_beside_an_enforced_one_is_counted_on_streams(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    write_policy(tmp_path, "enforced", names=["Harry Potter"])
    write_policy(tmp_path, "watched", names=["Marie Curie"], mode="shadow")
    pieces = sse(*chat_chunks(["It was Marie ", "Curie"]), done=True)
    upstream.reply(Reply.events(pieces))
    with Proxy(tmp_path, upstream.url) as proxy:
        assert stream_bytes(proxy, CHAT, chat_body("x")) == b"".join(pieces)
        metrics = httpx.get(f"{proxy.url}/metrics").text
    assert 'guard_filtered_total{mode="shadow",policy="watched"}' in metrics


def test_fields_that_carry_tokens_past_the_filter_are_taken_out(
    proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    answer = chat_completion("fine", logprobs={"content": [{"token": "Harry"}]})
    answer["prompt_text"] = "Harry Potter"
    upstream.always(Reply.json(answer))
    served = proxy.chat("x").json()
    assert served["choices"][0]["logprobs"] is None
    assert served["prompt_text"] is None
    assert served["choices"][0]["message"]["content"] == "fine"


@pytest.mark.parametrize("stream", [False, True])
def test_fields_that_nobody_knows_are_taken_out_and_counted(
    proxy: Proxy, upstream: ScriptedUpstream, stream: bool
) -> None:
    odd = {"new_field": {"text": "Harry Potter"}, "thoughts": ["Harry Potter"], "nothing": None}
    if stream:
        chunks = [chat_chunk({"content": "fine ", **odd}), chat_chunk({}, finish_reason="stop")]
        upstream.reply(Reply.events(sse(*chunks, done=True)))
        raw = stream_bytes(proxy, CHAT, chat_body("x"))
        assert channel_text(raw, "delta", "content") == "fine "
        assert finishes(raw) == {0: "stop"}
    else:
        upstream.reply(Reply.json(chat_completion("fine", message=odd)))
        raw = proxy.chat("x").content
    assert b"Harry" not in raw
    assert b"thoughts" not in raw
    counted = httpx.get(f"{proxy.url}/metrics").text
    assert re.search(r'guard_stripped_total\{endpoint="chat"\} [1-9]', counted)
