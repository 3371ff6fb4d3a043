"""How each endpoint asks and answers, whole and streamed in every awkward way."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import httpx
import orjson

from tests.support.proxy import Proxy, chat_body
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
    """One generating endpoint: `ask` makes a request, `whole` and `chunks` an answer of it, `said`
    takes the text out of a choice."""

    path: str
    ask: Callable[[str], Any]
    whole: Callable[[str], Json]
    chunks: Callable[[list[str]], list[Json]]
    said: Callable[[Json], str]


def _chat_said(choice: Json) -> str:
    return (choice.get("message") or choice.get("delta") or {}).get("content") or ""


ENDPOINTS = {
    "chat": Endpoint("/v1/chat/completions", chat_body, chat_completion, chat_chunks, _chat_said),
    "completions": Endpoint(
        "/v1/completions",
        lambda prompt: {"model": "m", "prompt": prompt},
        text_completion,
        completion_chunks,
        lambda choice: choice.get("text") or "",
    ),
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
    raw = b"".join(sse(*endpoint.chunks(MODES[mode](text)), done=True))
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


def heard(endpoint: Endpoint, raw: bytes) -> tuple[str, list[str]]:
    """The text of a stream's first choice, and its finish reasons."""
    own = [choice for choice in choices(raw) if choice["index"] == 0]
    reasons = [choice["finish_reason"] for choice in own if choice["finish_reason"]]
    return "".join(map(endpoint.said, own)), reasons
