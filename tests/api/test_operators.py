"""What operators use: checks without a model, readiness, metrics, models, keys."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx
import openai
import orjson
import pytest

from guard.errors import Overloaded
from tests.api.test_bad_input import refused
from tests.support.policies import PASSAGE, SECRET
from tests.support.proxy import Proxy, chat_body
from tests.support.upstream import Reply, ScriptedUpstream, chat_completion

CHECK = "/v1/guard/check"


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


KEYS = [
    {"name": "app", "sha256": digest("app-secret")},
    {"name": "limited", "sha256": digest("limited-secret"), "requests_per_minute": 2},
    {"name": "ops", "sha256": digest("ops-secret"), "operator": True},
]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    ("row", "flagged", "clean", "signals"),
    [
        ({"prompt": "Who is Harry Potter?"}, True, None, {"name": 1.0}),
        ({"prompt": "Who wrote Hamlet?"}, False, None, {}),
        ({"messages": [{"role": "user", "content": "harry potter"}]}, True, None, {"name": 1.0}),
        ({"output": "It was Harry Potter."}, True, "It was .", {"name": 1.0}),
        ({"output": "It was a wizard."}, False, "It was a wizard.", {}),
        ({"output": f"<{SECRET}>"}, True, "<>", {"text": 1.0}),
        ({"output": f"“{PASSAGE}” he said"}, True, "“.” he said", {"text": 1.0}),
        (
            {"output": "Harry Potter met Harry  Potter"},
            True,
            " met ",
            {"name": 1.0},
        ),
        ({"prompt": "Harry Potter", "key": "k", "model": "m"}, True, None, {"name": 1.0}),
    ],
)
def test_check_judges_one_row(
    proxy: Proxy, row: dict[str, Any], flagged: bool, clean: str | None, signals: Any
) -> None:
    response = proxy.post(CHECK, {"id": 7, **row})
    assert response.status_code == 200
    assert response.json() == {
        "id": 7,
        "flagged": flagged,
        "policy": "tests" if flagged else None,
        "action": "refuse" if flagged else None,
        "score": 1.0 if flagged else 0.0,
        "signals": signals,
        "clean": clean,
    }


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({}, "bad_row"),
        ({"prompt": "x", "output": "y"}, "bad_row"),
        ({"prompt": 3}, "invalid_type"),
        ({"output": ["x"]}, "invalid_type"),
        ({"messages": "x"}, "invalid_type"),
        ({"prompt": "x", "model": 3}, "invalid_type"),
        ({"prompt": "x", "polices": []}, "unknown_field"),
        (b"{", "invalid_json"),
    ],
)
def test_check_names_what_is_wrong_with_a_row(proxy: Proxy, row: Any, code: str) -> None:
    refused(proxy.post(CHECK, row), 400, code)


def test_models_are_the_upstreams_own(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    card = {"id": "org/m", "object": "model", "created": 7, "owned_by": "vllm", "root": "a b"}
    listed = {"object": "list", "data": [card, {**card, "permission": [{"is_blocking": True}]}]}
    upstream.reply(Reply.json(listed), Reply.json(card), Reply(status=500))
    assert httpx.get(f"{proxy.url}/v1/models").content == orjson.dumps(listed)
    assert proxy.openai().models.retrieve("org/m").id == "org/m"
    assert upstream.requests[1].path == "/v1/models/org/m"
    refused(httpx.get(f"{proxy.url}/v1/models"), 502, "upstream_error")


def test_of_models_only_what_the_contract_names_is_served(
    proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    card = {"id": "m", "created": "Harry Potter", "description": "Harry Potter"}
    upstream.reply(Reply.json({"object": "list", "data": [card], "note": "Harry Potter"}))
    served = httpx.get(f"{proxy.url}/v1/models").json()
    assert served == {"object": "list", "data": [{"id": "m", "created": None}]}


@pytest.mark.parametrize(
    ("path", "reply", "status", "code"),
    [
        ("/v1/models", Reply.json({"data": ["Harry Potter"]}), 502, "upstream_invalid_response"),
        ("/v1/models", Reply(status=200, body=[b"Harry Potter"]), 502, "upstream_invalid_response"),
        ("/v1/models/m", Reply(status=404, body=[b"no Harry Potter"]), 404, "model_not_found"),
        ("/v1/models", Reply(status=404, body=[b"no Harry Potter"]), 502, "upstream_error"),
        ("/v1/models/m", Reply(status=403, body=[b"no Harry Potter"]), 502, "upstream_error"),
    ],
)
def test_what_the_model_server_says_instead_of_models_is_not_repeated(
    proxy: Proxy, upstream: ScriptedUpstream, path: str, reply: Reply, status: int, code: str
) -> None:
    upstream.reply(reply)
    answer = httpx.get(proxy.url + path)
    refused(answer, status, code)
    assert "Harry" not in answer.text


@pytest.mark.parametrize("name", ["..", "%2e%2e/%2e%2e/metrics", "a/../../metrics", ".", "a//b"])
def test_the_name_of_a_model_reaches_no_other_path(
    proxy: Proxy, upstream: ScriptedUpstream, name: str
) -> None:
    import socket
    from urllib.parse import urlsplit

    place = urlsplit(proxy.url)
    with socket.create_connection((place.hostname, place.port)) as raw:  # clients tidy paths
        raw.sendall(f"GET /v1/models/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b" 404 " in raw.recv(65_536).splitlines()[0]
    assert upstream.requests == []


def test_readiness_tells_what_is_in_force(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    upstream.always(Reply.json({"data": []}))
    response = httpx.get(f"{proxy.url}/readyz")
    assert response.status_code == 200
    body = response.json()
    assert body["ready"] is True
    assert body["policies"] == 1
    assert len(body["policy_set"]) == 64
    upstream.always(Reply(status=500))
    assert httpx.get(f"{proxy.url}/readyz").status_code == 503


def test_metrics_count_and_never_quote(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    upstream.always(Reply.json(chat_completion("He is Harry Potter")))
    proxy.chat("Who is Harry Potter?")
    proxy.chat("Who is he?")
    proxy.post("/v1/chat/completions", b"{")
    text = httpx.get(f"{proxy.url}/metrics").text
    assert 'guard_requests_total{endpoint="chat",outcome="refuse"}' in text
    assert 'guard_requests_total{endpoint="chat",outcome="filtered"}' in text
    assert 'guard_requests_total{endpoint="chat",outcome="refused_request"}' in text
    assert (
        'guard_flagged_total{action="refuse",mode="enforce",policy="tests",signal="name"}' in text
    )
    assert 'guard_filtered_total{mode="enforce",policy="tests"}' in text
    assert "Potter" not in text


@pytest.fixture
def keyed(policies: Path, upstream: ScriptedUpstream) -> Any:
    upstream.always(Reply.json(chat_completion("fine")))
    with Proxy(policies, upstream.url, keys=KEYS) as proxy:
        yield proxy


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        bearer("wrong"),
        bearer(digest("app-secret")),
        {"Authorization": "app-secret"},
        {"Authorization": "Basic app-secret"},
        {"x-api-key": "wrong"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", CHECK])
def test_without_a_known_key_nothing_is_served(
    keyed: Proxy, upstream: ScriptedUpstream, headers: dict[str, str], path: str
) -> None:
    found = refused(keyed.post(path, chat_body("x"), headers=headers), 401, "invalid_api_key")
    assert found["message"] == "Incorrect API key provided."
    assert upstream.requests == []


def test_a_known_key_is_served_and_never_sent_upstream(
    keyed: Proxy, upstream: ScriptedUpstream
) -> None:
    assert keyed.openai("app-secret").models  # lazily made, no request yet
    answer = keyed.openai("app-secret").chat.completions.create(
        model="m", messages=[{"role": "user", "content": "x"}]
    )
    assert answer.choices[0].message.content == "fine"
    assert keyed.chat("x", stream=False).status_code == 401
    assert keyed.post("/v1/chat/completions", chat_body("x"), headers={"x-api-key": "app-secret"})
    assert all("app-secret" not in str(r.headers) for r in upstream.requests)


@pytest.mark.parametrize(("path", "method"), [(CHECK, "POST"), ("/metrics", "GET")])
def test_the_operators_endpoints_need_an_operators_key(
    keyed: Proxy, path: str, method: str
) -> None:
    body = {"prompt": "x"} if method == "POST" else None
    url = keyed.url + path
    refused(httpx.request(method, url, json=body, headers=bearer("app-secret")), 403, "forbidden")
    assert httpx.request(method, url, json=body, headers=bearer("ops-secret")).status_code == 200


def test_a_key_over_its_rate_waits(keyed: Proxy) -> None:
    client = keyed.openai("limited-secret")
    ask: Any = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    served = 0
    with pytest.raises(openai.RateLimitError, match="rate limit"):
        for _ in range(5):  # a minute may turn in the middle
            client.chat.completions.create(**ask)
            served += 1
    assert served in (2, 3, 4)
    assert keyed.openai("app-secret").chat.completions.create(**ask)


def test_policies_bind_to_keys(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    from tests.support.proxy import write_policy

    write_policy(tmp_path, names=["Harry Potter"], applies_to={"except_keys": ["ops"]})
    upstream.always(Reply.json(chat_completion("Harry Potter is a wizard")))
    with Proxy(tmp_path, upstream.url, keys=KEYS) as proxy:
        texts = {
            key: proxy.openai(f"{key}-secret")
            .chat.completions.create(model="m", messages=[{"role": "user", "content": "go on"}])
            .choices[0]
            .message.content
            for key in ("app", "ops")
        }
    assert texts == {"app": "", "ops": "Harry Potter is a wizard"}


def test_overloaded_is_a_request_error_with_its_own_status() -> None:
    assert Overloaded("x").status == 429
    assert Overloaded("x", status=503).status == 503


def test_the_rate_of_a_key_is_one_over_all_that_costs(keyed: Proxy) -> None:
    statuses = [
        httpx.get(f"{keyed.url}/v1/models", headers=bearer("limited-secret")).status_code
        for _ in range(5)
    ]
    assert statuses[:2] == [200, 200]
    assert 429 in statuses
