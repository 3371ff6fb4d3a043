"""What is passed on as it is, what is not, and what is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.api.typed import ENDPOINTS, Typed, pieces_of, stream_bytes
from tests.support.proxy import Proxy, write_policy
from tests.support.typed_answers import embeddings, named
from tests.support.upstream import Reply, ScriptedUpstream

MESSAGE = "I can't help with that."
NAME = "Harry Potter"
EMBEDDINGS = "/v1/embeddings"
each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)


def test_decisions_are_counted_and_recorded_by_endpoint(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    write_policy(tmp_path, names=[NAME])
    log = tmp_path / "audit.jsonl"
    cut = pieces_of([("text", f"It is {NAME} indeed")])
    upstream.reply(*(Reply.events(named(each.events(cut))) for each in ENDPOINTS))
    with Proxy(tmp_path, upstream.url, audit=log) as proxy:
        for each in ENDPOINTS:
            stream_bytes(proxy, each.path, each.body("x"))
            proxy.post(each.path, each.body(NAME))
        proxy.post(EMBEDDINGS, {"model": "m", "input": NAME})
        metrics = httpx.get(f"{proxy.url}/metrics").text
    records = [orjson.loads(line) for line in log.read_bytes().splitlines()]
    assert [(record["endpoint"], record["decision"]) for record in records] == [
        ("responses", "filtered"),
        ("responses", "flagged"),
        ("messages", "filtered"),
        ("messages", "flagged"),
        ("embeddings", "flagged"),
    ]
    assert "Harry" not in log.read_text("utf-8")
    for endpoint in ("responses", "messages"):
        assert f'guard_requests_total{{endpoint="{endpoint}",outcome="refuse"}}' in metrics
    assert 'guard_requests_total{endpoint="embeddings",outcome="refused_request"}' in metrics


@pytest.mark.parametrize("answer", [{"data": [{"embedding": ["Harry"]}]}, {"data": 5}, {}])
def test_what_is_not_a_list_of_vectors_is_an_error(
    answer: Any, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    upstream.reply(Reply.json(answer))
    assert proxy.post(EMBEDDINGS, {"model": "m", "input": "x"}).status_code == 502


@pytest.mark.parametrize("vector", [[0.5, 1], "AAAAPw=="])
def test_vectors_are_the_upstreams_own_bytes_but_for_unknown_fields(
    vector: Any, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    answer = embeddings(vector, vector)
    upstream.reply(Reply.json(answer), Reply.json({**answer, "text": NAME}))
    body = {"model": "m", "input": ["of Harry", "Potter"]}  # two texts, not one
    assert proxy.post(EMBEDDINGS, body).content == orjson.dumps(answer)
    assert proxy.post(EMBEDDINGS, body).json() == answer


@each_endpoint
def test_the_upstream_gets_the_clients_own_bytes(
    endpoint: Typed, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    upstream.always(Reply.json(endpoint.whole([("text", "fine")])))
    body = orjson.dumps(endpoint.body("hi ü"))
    proxy.post(endpoint.path, body)
    assert upstream.requests[0].path == endpoint.path
    assert upstream.requests[0].body == body


@each_endpoint
def test_a_caller_without_policies_gets_everything_untouched(
    endpoint: Typed, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    parts = [("text", f"It is {NAME}")]
    whole, pieces = endpoint.whole(parts, odd=1), named(endpoint.events(pieces_of(parts)))
    upstream.reply(Reply.json(whole), Reply.events(pieces))
    body = {**endpoint.body(NAME), "model": "free"}
    assert proxy.post(endpoint.path, body).content == orjson.dumps(whole)
    assert stream_bytes(proxy, endpoint.path, body) == b"".join(pieces)
