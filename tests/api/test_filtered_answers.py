"""Chat and completions end to end: forbidden text leaves in no field, however it is cut."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.chats import (
    CHAT,
    COMPLETIONS,
    channel_text,
    completion_body,
    events,
    finishes,
    stream_bytes,
)
from tests.support.policies import PASSAGE, SECRET
from tests.support.proxy import Proxy, chat_body, write_policy
from tests.support.upstream import (
    Reply,
    ScriptedUpstream,
    chat_chunk,
    chat_chunks,
    chat_completion,
    sse,
    text_completion,
)


@pytest.mark.parametrize("secret", ["Harry Potter", PASSAGE, SECRET, "H.a.r.r.y Pot\u200bter"])
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
def test_a_whole_answer_ends_before_forbidden_text(
    proxy: Proxy, upstream: ScriptedUpstream, path: str, secret: str
) -> None:
    make = chat_completion if path == CHAT else text_completion
    upstream.reply(Reply.json(make(f"It says: {secret} and so on.", "Another choice.")))
    body = chat_body("x", n=2) if path == CHAT else completion_body("x", n=2)
    first, second = proxy.post(path, body).json()["choices"]
    assert (first["message"]["content"] if path == CHAT else first["text"]) == "It says: "
    assert first["finish_reason"] == "content_filter"
    assert (second["message"]["content"] if path == CHAT else second["text"]) == "Another choice."
    assert second["finish_reason"] == "stop"


CHANNELS = [
    ("content", ("delta", "content"), lambda text: {"content": text}),
    ("reasoning", ("delta", "reasoning"), lambda text: {"reasoning": text}),
    ("reasoning_content", ("delta", "reasoning_content"), lambda t: {"reasoning_content": t}),
    ("refusal", ("delta", "refusal"), lambda text: {"refusal": text}),
    (
        "argument",
        ("delta", "function_call", "arguments"),
        lambda t: {"function_call": {"arguments": t}},
    ),
]


@pytest.mark.parametrize(("name", "path", "delta"), CHANNELS, ids=[row[0] for row in CHANNELS])
@pytest.mark.parametrize("secret", ["Harry Potter", SECRET])
def test_no_text_channel_of_a_stream_lets_it_out(
    proxy: Proxy, upstream: ScriptedUpstream, name: str, path: Any, delta: Any, secret: str
) -> None:
    text = f"It says: {secret} and so on."
    chunks = [chat_chunk(delta(char)) for char in text]
    upstream.reply(Reply.events(sse(*chunks, chat_chunk({}, finish_reason="stop"), done=True)))
    raw = stream_bytes(proxy, CHAT, chat_body("x"))
    assert channel_text(raw, *path) == "It says: "
    assert finishes(raw) == {0: "content_filter"}
    assert events(raw)[-1] == "[DONE]"


def tool_chunks(name: str, arguments: list[str]) -> list[Any]:
    first = {"index": 0, "id": "call-1", "type": "function", "function": {"name": name}}
    rest = [{"index": 0, "function": {"arguments": piece}} for piece in arguments]
    return [chat_chunk({"tool_calls": [call]}) for call in [first, *rest]]


@pytest.mark.parametrize(
    "arguments",
    [
        ['{"who": "Har', "ry Pot", 'ter"}'],
        ['{"who": "\\u0048arry', '\\nPotter"}'],
        list('{"who": "Harry Potter", "x": 1}'),
    ],
)
def test_tool_call_arguments_are_filtered(
    proxy: Proxy, upstream: ScriptedUpstream, arguments: list[str]
) -> None:
    chunks = [*tool_chunks("find", arguments), chat_chunk({}, finish_reason="tool_calls")]
    upstream.reply(Reply.events(sse(*chunks, done=True)))
    raw = stream_bytes(proxy, CHAT, chat_body("x"))
    sent = "".join(
        call["function"].get("arguments", "")
        for event in events(raw)[:-1]
        for choice in event["choices"]
        for call in choice["delta"].get("tool_calls", [])
    )
    assert sent == '{"who": "'
    assert finishes(raw) == {0: "content_filter"}


def test_tool_call_arguments_of_a_whole_answer_are_filtered(
    proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": '{"a": "Harry Potter"}'},
    }
    upstream.reply(Reply.json(chat_completion(None, message={"tool_calls": [call]})))
    (choice,) = proxy.chat("x").json()["choices"]
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"a": "'
    assert choice["finish_reason"] == "content_filter"


@pytest.mark.parametrize("field", ["refusal", "reasoning", "tool_calls"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_cut_reaches_every_channel_of_the_same_choice(
    proxy: Proxy, upstream: ScriptedUpstream, stream: bool, field: str
) -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "Harry Potter"}}
    other = {field: [call] if field == "tool_calls" else "Harry Potter"}
    if stream:
        chunks = sse(chat_chunk({"content": "I: Harry Potter", **other}), done=True)
        upstream.reply(Reply.events(chunks))
        raw = stream_bytes(proxy, CHAT, chat_body("x"))
        assert channel_text(raw, "delta", "content") == "I: "
    else:
        upstream.reply(Reply.json(chat_completion("I: Harry Potter", message=other)))
        raw = proxy.chat("x").content
        message = orjson.loads(raw)["choices"][0]["message"]
        assert message["content"] == "I: "
    assert b"Harry" not in raw


@pytest.mark.parametrize("stream", [False, True])
def test_a_key_of_an_answer_is_text_too(
    proxy: Proxy, upstream: ScriptedUpstream, stream: bool
) -> None:
    odd = {"arguments": {"Harry Potter": 1}}
    if stream:
        chunks = [chat_chunk({"content": "fine "}), chat_chunk({"function_call": odd})]
        upstream.reply(Reply.events(sse(*chunks, done=True)))
        raw = stream_bytes(proxy, CHAT, chat_body("x"))
        assert channel_text(raw, "delta", "content") == "fine "
    else:
        upstream.reply(Reply.json(chat_completion("fine", message={"function_call": odd})))
        raw = proxy.chat("x").content
    assert b"Harry" not in raw
    assert b"content_filter" in raw


@pytest.mark.parametrize("beside", [b": Harry Potter\n", b"event: Harry Potter\n", b"id: \xff\n"])
def test_what_an_event_says_beside_its_data_is_read_too(
    proxy: Proxy, upstream: ScriptedUpstream, beside: bytes
) -> None:
    first, *rest = sse(*chat_chunks(["fine "]), done=True)
    upstream.reply(Reply.events([beside + first, beside + b"\n", *rest]))
    raw = stream_bytes(proxy, CHAT, chat_body("x"))
    assert b"Harry" not in raw
    assert channel_text(raw, "delta", "content") == "fine "
    assert (beside in raw) == (b"Harry" not in beside)


def test_other_choices_go_on_when_one_is_cut(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    zero = [chat_chunk({"content": piece}) for piece in ["a ", "Harry ", "Potter ", "never"]]
    one = [chat_chunk({"content": piece}, index=1) for piece in ["b ", "goes ", "on ", "well"]]
    mixed = [chunk for pair in zip(zero, one, strict=True) for chunk in pair]
    ends = [chat_chunk({}, index=i, finish_reason="stop") for i in range(2)]
    upstream.reply(Reply.events(sse(*mixed, *ends, done=True)))
    raw = stream_bytes(proxy, CHAT, chat_body("x", n=2))
    assert channel_text(raw, "delta", "content", lane=0) == "a "
    assert channel_text(raw, "delta", "content", lane=1) == "b goes on well"
    assert finishes(raw) == {0: "content_filter", 1: "stop"}


def test_half_an_event_after_a_cut_is_not_read(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    first, second, third = sse(*(chat_chunk({"content": t}) for t in ("A ", "Harry Potter ", "x ")))
    upstream.reply(Reply.events([first, second + third + third[:20], third[20:]], spacing=0.05))
    raw = stream_bytes(proxy, CHAT, chat_body("x"))
    assert channel_text(raw, "delta", "content") == "A "
    assert events(raw)[-1] == "[DONE]"
    assert finishes(raw) == {0: "content_filter"}


def test_a_cut_answer_stops_the_upstream(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    chunks = sse(*chat_chunks(["Harry Potter is "] + ["more "] * 2_000), done=True)
    upstream.reply(Reply.events(chunks, spacing=0.01))
    raw = stream_bytes(proxy, CHAT, chat_body("x"))
    assert channel_text(raw, "delta", "content") == ""
    assert upstream.requests[0].disconnected.wait(5)


def test_a_prompt_that_holds_half_a_name_does_not_get_the_rest(
    proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    upstream.always(Reply.json(text_completion("ter and his friends")))
    (choice,) = proxy.post(COMPLETIONS, completion_body("His name is Harry Pot")).json()["choices"]
    assert choice["text"] == ""
    assert choice["finish_reason"] == "content_filter"


@pytest.mark.parametrize(
    ("scope", "text"), [("parametric", f"It says: {PASSAGE}"), ("any", "It says: ")]
)
def test_text_that_the_client_supplied_may_be_repeated_only_when_parametric(
    tmp_path: Path, upstream: ScriptedUpstream, scope: str, text: str
) -> None:
    write_policy(tmp_path, texts=[PASSAGE], scope=scope)
    upstream.always(Reply.json(chat_completion(f"It says: {PASSAGE}")))
    with Proxy(tmp_path, upstream.url) as proxy:
        answer = proxy.chat(f"Translate: {PASSAGE}").json()["choices"][0]
        assert answer["message"]["content"] == text


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, ScriptedUpstream]]:
    directory = tmp_path_factory.mktemp("policies")
    write_policy(directory, names=["Harry Potter"], texts=[PASSAGE, SECRET])
    with ScriptedUpstream() as upstream, Proxy(directory, upstream.url) as proxy:
        yield proxy, upstream


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(["Harry Potter", "Har\u200bry Potter", PASSAGE, SECRET, "nothing at all"]),
    st.lists(st.integers(0, 10_000), max_size=12),
    st.lists(st.integers(0, 100_000), max_size=12),
)
def test_no_chunking_of_tokens_or_of_bytes_changes_what_a_client_gets(
    lasting: tuple[Proxy, ScriptedUpstream], secret: str, cuts: list[int], splits: list[int]
) -> None:
    proxy, upstream = lasting
    text = f"It says ☕: {secret} and so on."
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]
    raw = b"".join(sse(*chat_chunks(pieces), done=True))
    places = [0, *sorted(split % (len(raw) + 1) for split in splits), len(raw)]
    # An empty chunk would be the end of the body.
    reads = [raw[start:end] for start, end in pairwise(places) if start < end]
    upstream.reply(Reply.events(reads))
    received = stream_bytes(proxy, CHAT, chat_body("x"))
    if secret.startswith("nothing"):
        assert received == raw
    else:
        assert channel_text(received, "delta", "content") == "It says ☕: "
        assert finishes(received) == {0: "content_filter"}
