"""Chat and completions as the tests of answers ask for them and take them apart."""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from tests.support.proxy import Proxy

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
BENIGN = [
    "It was a bright ",
    "cold day in April, ",
    "and the clocks ",
    "were striking ☕ thirteen.",
]


def completion_body(prompt: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "prompt": prompt, **fields}


def stream_bytes(proxy: Proxy, path: str, body: Any) -> bytes:
    with httpx.stream("POST", proxy.url + path, json={**body, "stream": True}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        return response.read()


def events(raw: bytes) -> list[Any]:
    """The JSON of each event; the end mark as a string."""
    found = [
        line[6:] for line in raw.decode(errors="replace").splitlines() if line.startswith("data: ")
    ]
    return ["[DONE]" if data == "[DONE]" else orjson.loads(data) for data in found]


def channel_text(raw: bytes, *path: str, lane: int = 0) -> str:
    """The text that a stream put together for one channel of one choice."""
    text = ""
    for event in events(raw):
        for choice in event["choices"] if event != "[DONE]" else ():
            value: Any = choice
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            if choice["index"] == lane and isinstance(value, str):
                text += value
    return text


def finishes(raw: bytes) -> dict[int, str]:
    """The finish reason of each choice."""
    return {
        choice["index"]: choice["finish_reason"]
        for event in events(raw)
        if event != "[DONE]"
        for choice in event["choices"]
        if choice["finish_reason"] is not None
    }
