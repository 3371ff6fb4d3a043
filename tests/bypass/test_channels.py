"""Every text channel, and streams that are put together oddly."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from tests.bypass.endpoints import choices, cut_up
from tests.support.policies import SECRET
from tests.support.proxy import Proxy, chat_body
from tests.support.upstream import (
    Reply,
    ScriptedUpstream,
    chat_chunk,
    chat_chunks,
    chat_completion,
    completion_chunks,
    sse,
)

Served = tuple[Proxy, ScriptedUpstream]
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
SECRETS = {
    "plain": SECRET,
    "flood": SECRET[:20] + "\u200b" * 2_000 + SECRET[20:],
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "hexadecimal": SECRET.encode().hex(),
    "backwards": SECRET[::-1],
}


def _call(**function: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "function": function}]}


CHANNELS: dict[str, Callable[[str], dict[str, Any]]] = {
    "content": lambda text: {"content": text},
    "reasoning": lambda text: {"reasoning": text},
    "reasoning_content": lambda text: {"reasoning_content": text},
    "refusal": lambda text: {"refusal": text},
    "tool name": lambda text: _call(name=text),
    "tool arguments": lambda text: _call(arguments=text),
}


def asked(proxy: Proxy, path: str, **fields: Any) -> bytes:
    """What the client of a stream gets."""
    ask = chat_body("x") if path == CHAT else {"model": "m", "prompt": "x"}
    body = {**ask, "stream": True, **fields}
    return httpx.post(proxy.url + path, json=body, timeout=20).content


def strings(value: Any) -> str:
    """All strings below a JSON value, end to end."""
    if isinstance(value, str):
        return value
    items = value.values() if isinstance(value, dict) else value
    return "".join(map(strings, items)) if isinstance(value, (dict, list)) else ""


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS)
@pytest.mark.parametrize("most", [1, 7, 10_000])
def test_no_channel_lets_any_of_it_out(
    served: Served, channel: Callable[[str], dict[str, Any]], secret: str, most: int
) -> None:
    proxy, upstream = served
    pieces = cut_up(f"It is: {secret} you see", most, 1)
    chunks = [chat_chunk(channel(piece)) for piece in pieces]
    upstream.reply(Reply.events(sse(*chunks, chat_chunk({}, finish_reason="stop"), done=True)))
    raw = asked(proxy, CHAT)
    deltas = [{k: v for k, v in c["delta"].items() if k != "role"} for c in choices(raw)]
    if len(pieces) == 1 and channel is CHANNELS["tool name"]:
        assert strings(deltas) == ""  # a call whose name is cut is none
    else:
        assert strings(deltas) == "It is: "
    assert [c["finish_reason"] for c in choices(raw)][-1] == "content_filter"


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(
    ("first", "second", "rest"),
    [
        ("reasoning", "content", "{} you see"),
        ("content", "tool arguments", "{} you see"),
        ("content", "tool arguments", '{{"to": "Ann", "key": "{}"}}'),
        ("reasoning", "tool arguments", '{{"keys": ["{}"]}}'),
    ],
)
def test_a_secret_over_two_channels_stays(
    served: Served, first: str, second: str, rest: str, stream: bool
) -> None:
    proxy, upstream = served
    said = [CHANNELS[first](f"It is: {SECRET[:20]}"), CHANNELS[second](rest.format(SECRET[20:]))]
    call = {"tool_calls": [{"index": 0, "id": "call-1", "type": "function"}]}
    if stream:
        chunks = [chat_chunk(delta) for delta in (said[0], call, said[1])]
        upstream.reply(Reply.events(sse(*chunks, chat_chunk({}, finish_reason="stop"), done=True)))
        deltas = [choice["delta"] for choice in choices(asked(proxy, CHAT))]
    else:
        answer = chat_completion("")
        answer["choices"][0]["message"] |= said[1] | said[0]
        upstream.reply(Reply.json(answer))
        body = asked(proxy, CHAT, stream=False)
        deltas = [choice["message"] for choice in orjson.loads(body)["choices"]]
    parts = [{k: v for k, v in each.items() if k != "role"} for each in deltas]
    heard = strings(parts).replace("call-1function", "")
    assert heard == "It is: "


def test_thoughts_that_end_inside_a_name_do_not_stall_the_answer(served: Served) -> None:
    proxy, upstream = served
    chunks = [
        chat_chunk({"reasoning": "It is about Harry"}),
        chat_chunk({"content": "Yes, "}),
        chat_chunk({"content": "it is."}),
    ]
    raw = sse(*chunks, chat_chunk({}, finish_reason="stop"), done=True)
    upstream.reply(Reply.events(raw))
    assert asked(proxy, CHAT) == b"".join(raw)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_completions_let_none_of_it_out(served: Served, secret: str) -> None:
    proxy, upstream = served
    upstream.reply(
        Reply.events(sse(*completion_chunks(cut_up(f"It is: {secret}.", 3, 2)), done=True))
    )
    raw = asked(proxy, COMPLETIONS)
    assert "".join(choice["text"] for choice in choices(raw)) == "It is: "


def test_interleaved_choices_are_told_apart(served: Served) -> None:
    proxy, upstream = served
    texts = ["It is: " + SECRETS["base64"] + " !", "Nothing here, only words. ", SECRET[::-1] + "."]
    chunks: list[Any] = []
    parts = [cut_up(text, 4, lane) for lane, text in enumerate(texts)]
    for turn in range(max(map(len, parts))):
        chunks += [
            chat_chunk({"content": own[turn]}, index=lane)
            for lane, own in enumerate(parts)
            if turn < len(own)
        ]
    ends = [chat_chunk({}, index=lane, finish_reason="stop") for lane in range(3)]
    upstream.reply(Reply.events(sse(*chunks, *ends, done=True)))
    raw = asked(proxy, CHAT, n=3)
    said = ["", "", ""]
    reasons = ["", "", ""]
    for choice in choices(raw):
        said[choice["index"]] += choice["delta"].get("content") or ""
        reasons[choice["index"]] = choice["finish_reason"] or reasons[choice["index"]]
    assert said == ["It is: ", texts[1], ""]
    assert reasons == ["content_filter", "stop", "content_filter"]


ODD: dict[str, list[bytes]] = {
    "the end mark inside the content": sse(
        *chat_chunks(["data: [DONE]\n\n", "[DONE] ", "It is: "]), done=False
    ),
    "comments between": [b": one\n\n", *sse(*chat_chunks(["It is: "])), b": two\n\n"],
    "an event name": [b"event: message\n" + event for event in sse(*chat_chunks(["It is: "]))],
}


def _multi_line(event: dict[str, Any]) -> bytes:
    """The same JSON on several data lines: a line end is white space to it."""
    lines = orjson.dumps(event, option=orjson.OPT_INDENT_2).split(b"\n")
    return b"".join(b"data: " + line + b"\n" for line in lines) + b"\n"


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("before", ODD.values(), ids=ODD)
def test_odd_streams_let_none_of_it_out(
    served: Served, before: list[bytes], secret: str, done: bool
) -> None:
    proxy, upstream = served
    before = [event.replace(b'"finish_reason":"stop"', b'"finish_reason":null') for event in before]
    after = [_multi_line(chat_chunk({"content": piece})) for piece in cut_up(secret + " x", 5, 3)]
    end = sse(chat_chunk({}, finish_reason="stop"), done=done)
    upstream.reply(Reply.events([*before, *after, *end]))
    raw = asked(proxy, CHAT)
    text = "".join(choice["delta"].get("content") or "" for choice in choices(raw))
    assert text.endswith("It is: ")
    assert raw.endswith(b"data: [DONE]\n\n")


def test_a_missing_end_mark_is_the_end(served: Served) -> None:
    proxy, upstream = served
    events = sse(*(chat_chunk({"content": piece}) for piece in ["It is Harry ", "Potter"]))
    upstream.reply(Reply.events([*events[:-1], events[-1].rstrip(b"\n")]))
    raw = asked(proxy, CHAT)
    assert "".join(choice["delta"].get("content") or "" for choice in choices(raw)) == "It is "
