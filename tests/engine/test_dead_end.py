"""A grammar that allows only what is banned ends in an error at vLLM, and as filtered here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from guard.engine.dead_end import body_gave_up, has_grammar
from tests.support.fleet import Fleet, fleet_on
from tests.support.proxy import Proxy, chat_body, until, write_policy
from tests.support.upstream import Reply, ScriptedUpstream, chat_chunk, error, sse

GAVE_UP = error("Internal server error", type="InternalServerError", code=500)
OTHER = error("EngineCore died", type="InternalServerError", code=500)
GRAMMAR = {"structured_outputs": {"choice": ["yes", "no"]}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (orjson.dumps(GAVE_UP), True),
        (orjson.dumps(OTHER), False),
        (b'{"error": "Internal server error"}', False),
        (b"[]", False),
        (b"not JSON", False),
    ],
)
def test_what_says_that_a_generation_was_ended(body: bytes, expected: bool) -> None:
    assert body_gave_up(body) is expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, False),
        (GRAMMAR, True),
        ({"structured_outputs": None}, False),
        ({"response_format": {"type": "json_object"}}, True),
        ({"tools": [], "tool_choice": "required"}, True),
    ],
)
def test_which_requests_may_have_a_grammar(fields: dict[str, Any], expected: bool) -> None:
    assert has_grammar(orjson.dumps(chat_body("Hi", **fields))) is expected


@pytest.fixture
def fleet(tmp_path: Path, upstream: ScriptedUpstream) -> Iterator[Fleet]:
    with fleet_on(tmp_path / "shelf", upstream, ["one"]) as fleet:
        yield fleet


@pytest.fixture
def proxy(tmp_path: Path, fleet: Fleet, upstream: ScriptedUpstream) -> Iterator[Proxy]:
    policies = tmp_path / "policies"
    policies.mkdir()
    write_policy(policies, names=["Harry Potter"])
    with Proxy(policies, upstream.url, engine={"shelf": str(tmp_path / "shelf")}) as proxy:
        until(lambda: _all_held(proxy), "the engine holds the sets")
        yield proxy


def _all_held(proxy: Proxy) -> bool:
    engine = httpx.get(f"{proxy.url}/readyz", trust_env=False).json()["engine"]
    return bool(engine["held"] == engine["sets"] > 0)


PATHS = {"/v1/chat/completions": chat_body("Hi"), "/v1/completions": {"model": "m", "prompt": "Hi"}}


@pytest.mark.parametrize("path", PATHS)
def test_a_whole_answer_ends_filtered(fleet: Fleet, proxy: Proxy, path: str) -> None:
    fleet.extra[path] = lambda request: Reply.json(GAVE_UP, status=500)
    answer = proxy.post(path, {**PATHS[path], **GRAMMAR, "n": 2})
    assert answer.status_code == 200
    choices = answer.json()["choices"]
    assert [choice["finish_reason"] for choice in choices] == ["content_filter"] * 2
    assert {(c["message"]["content"] if "message" in c else c["text"]) for c in choices} == {""}


def test_a_stream_ends_filtered_once_a_lane(fleet: Fleet, proxy: Proxy) -> None:
    path = "/v1/chat/completions"
    events = [
        chat_chunk({"content": "It is"}, index=0),
        chat_chunk({"content": " Harry Pot"}, index=0),  # held, and then dropped
        chat_chunk({"content": "Yes"}, index=1),
        chat_chunk({}, index=1, finish_reason="stop"),
        GAVE_UP,
    ]
    fleet.extra[path] = lambda request: Reply.events(sse(*events, done=True))
    answer = proxy.post(path, {**PATHS[path], **GRAMMAR, "n": 2, "stream": True})
    blocks = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    assert blocks.pop() == "[DONE]"
    said: dict[int, str] = {}
    ends: list[tuple[int, str]] = []
    for choice in (choice for block in blocks for choice in orjson.loads(block)["choices"]):
        said[choice["index"]] = said.get(choice["index"], "") + (
            choice["delta"].get("content") or ""
        )
        if choice.get("finish_reason"):
            ends.append((choice["index"], choice["finish_reason"]))
    assert said == {0: "It is", 1: "Yes"}
    assert sorted(ends) == [(0, "content_filter"), (1, "stop")]


@pytest.mark.parametrize(
    ("said", "fields"),
    [(GAVE_UP, {}), (OTHER, GRAMMAR)],
    ids=["no grammar", "another error"],
)
@pytest.mark.parametrize("stream", [False, True])
def test_any_other_error_stays_one(
    fleet: Fleet, proxy: Proxy, said: dict[str, Any], fields: dict[str, Any], stream: bool
) -> None:
    path = "/v1/chat/completions"
    failing = Reply.events(sse(said, done=True)) if stream else Reply.json(said, status=500)
    fleet.extra[path] = lambda request: failing
    answer = proxy.post(path, {**PATHS[path], **fields, "stream": stream})
    assert "content_filter" not in answer.text
    assert '"error"' in answer.text
    assert stream or answer.status_code == 500
