"""How each endpoint asks and answers, whole and streamed in every awkward way."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import httpx
import orjson

from tests.api.typed import MESSAGES, RESPONSES, Typed, parsed
from tests.support.proxy import Proxy, chat_body
from tests.support.typed_answers import named
from tests.support.upstream import (
    Reply,
    ScriptedUpstream,
    chat_chunks,
    chat_completion,
    completion_chunks,
    sse,
    text_completion,
)

Json = dict[str, Any]


class Endpoint(NamedTuple):
    """One generating endpoint: `ask` makes a request; `whole` and `stream` script an answer, the
    latter of pieces of text; `answer` and `heard` read one back, as its text and whether the filter
    ended it."""

    path: str
    ask: Callable[[str], Any]
    whole: Callable[[str], Json]
    stream: Callable[[list[str]], bytes]
    answer: Callable[[Json], tuple[str, bool]]
    heard: Callable[[bytes], tuple[str, bool]]


def _of_choices(
    path: str,
    ask: Callable[[str], Json],
    whole: Callable[[str], Json],
    chunks: Callable[[list[str]], list[Json]],
    said: Callable[[Json], str],
) -> Endpoint:
    def answer(body: Json) -> tuple[str, bool]:
        (choice,) = body["choices"]
        return said(choice), choice["finish_reason"] == "content_filter"

    def heard(raw: bytes) -> tuple[str, bool]:
        assert b"[DONE]" in raw
        own = [choice for choice in choices(raw) if choice["index"] == 0]
        reasons = [choice["finish_reason"] for choice in own if choice["finish_reason"]]
        assert len(reasons) == 1
        return "".join(map(said, own)), reasons == ["content_filter"]

    def stream(pieces: list[str]) -> bytes:
        return b"".join(sse(*chunks(pieces), done=True))

    return Endpoint(path, ask, whole, stream, answer, heard)


def _of_events(typed: Typed) -> Endpoint:
    def text_of(parts: list[tuple[str, str]]) -> str:
        assert {kind for kind, _ in parts} <= {"text"}
        return "".join(text for _, text in parts)

    def answer(body: Json) -> tuple[str, bool]:
        return text_of(typed.texts(body)), typed.ending(body) == typed.cut

    def heard(raw: bytes) -> tuple[str, bool]:
        events = parsed(raw.replace(b"\r\n", b"\n"))
        return text_of(typed.streamed(events)), typed.stream_ending(events) == typed.cut

    return Endpoint(
        typed.path,
        typed.body,
        lambda text: typed.whole([("text", text)]),
        lambda pieces: b"".join(named(typed.events([("text", pieces)]))),
        answer,
        heard,
    )


def _chat_said(choice: Json) -> str:
    return (choice.get("message") or choice.get("delta") or {}).get("content") or ""


ENDPOINTS = {
    "chat": _of_choices(
        "/v1/chat/completions", chat_body, chat_completion, chat_chunks, _chat_said
    ),
    "completions": _of_choices(
        "/v1/completions",
        lambda prompt: {"model": "m", "prompt": prompt},
        text_completion,
        completion_chunks,
        lambda choice: choice.get("text") or "",
    ),
    "responses": _of_events(RESPONSES),
    "messages": _of_events(MESSAGES),
}


def cut_up(data: Any, most: int, seed: int) -> list[Any]:
    """A string or bytes in pieces of 1 to `most`."""
    chance = random.Random(seed)
    places = [0]
    while places[-1] < len(data):
        places.append(min(len(data), places[-1] + chance.randint(1, most)))
    return [data[start:end] for start, end in pairwise(places)]


# How a text becomes the pieces of events; how the bytes of these become reads is `_reads`.
MODES: dict[str, Callable[[str], list[str]]] = {
    "tokens": lambda text: cut_up(text, 6, 1),
    "one character a chunk": list,
    "bytes split anywhere": lambda text: cut_up(text, 40, 3),
    "CRLF": lambda text: cut_up(text, 9, 4),
}


def stream(endpoint: Endpoint, text: str, mode: str) -> bytes:
    """The bytes of the upstream's stream that says `text`."""
    raw = endpoint.stream(MODES[mode](text))
    return raw.replace(b"\n", b"\r\n") if mode == "CRLF" else raw


def streamed(
    proxy: Proxy, upstream: ScriptedUpstream, endpoint: Endpoint, text: str, mode: str
) -> bytes:
    """What a client gets of such a stream."""
    # Reads of a few bytes split UTF-8 sequences and line ends.
    most = 60 if mode == "bytes split anywhere" else 4_000
    upstream.reply(Reply.events(cut_up(stream(endpoint, text, mode), most, 5)))
    body = {**endpoint.ask("Tell me."), "stream": True}
    response = httpx.post(proxy.url + endpoint.path, json=body, timeout=20)
    assert response.status_code == 200
    return response.content


def choices(raw: bytes) -> list[Json]:
    """Every choice of every event of a stream."""
    blocks = [block.split(b"\n") for block in raw.replace(b"\r\n", b"\n").split(b"\n\n")]
    data = [b"".join(x[6:] for x in lines if x.startswith(b"data: ")) for lines in blocks]
    events = [orjson.loads(each) for each in data if each.startswith(b"{")]
    return [choice for event in events for choice in event["choices"]]
