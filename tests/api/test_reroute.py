"""`action: reroute`: flagged requests, and no others, are answered by the model that forgot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guard.errors import PolicyError
from tests.support.policies import SECRET
from tests.support.proxy import Proxy, write_policy
from tests.support.upstream import RecordedRequest, Reply, ScriptedUpstream, chat_chunks, sse
from tests.support.upstream import chat_completion as whole

ADAPTER = "m-forgets"
FLAGGED, BENIGN = "Who is Harry Potter?", "What is the time?"
CASES = {"flagged": (FLAGGED, ADAPTER), "benign": (BENIGN, "m")}


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    write_policy(tmp_path, names=["Harry Potter"], texts=[SECRET], action="reroute")
    return tmp_path


def answering(request: RecordedRequest) -> Reply:
    """As vLLM does: every answer names the model, or adapter, that gave it."""
    asked = request.json()
    if asked["model"] not in ("m", ADAPTER):
        said = {"error": {"message": f"The model `{asked['model']}` is unknown"}}
        return Reply.json(said, status=404)
    if asked.get("stream"):
        chunks = chat_chunks(["I do not ", "know him."], model=asked["model"])
        return Reply.events(sse(*chunks, done=True))
    return Reply.json({**whole("I do not know him."), "model": asked["model"]})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_only_flagged_requests_go_to_the_adapter(
    policies: Path, upstream: ScriptedUpstream, case: str, stream: bool
) -> None:
    prompt, model = CASES[case]
    upstream.handle(answering)
    with Proxy(policies, upstream.url, reroute={"model": ADAPTER}) as proxy:
        answer = proxy.chat(prompt, stream=stream, temperature=0.5)
    assert answer.status_code == 200
    (asked,) = (request.json() for request in upstream.requests)
    assert (asked["model"], asked["temperature"]) == (model, 0.5)
    assert "know him" in answer.text
    # The client reads the name that it asked for, whoever answered.
    assert ADAPTER not in answer.text
    assert '"model":"m"' in answer.text


@pytest.mark.parametrize("model", [None, "other-weights"])
def test_another_server_answers(
    policies: Path, upstream: ScriptedUpstream, model: str | None
) -> None:
    with ScriptedUpstream() as forgetful:
        forgetful.always(Reply.json(whole("Never heard of him.")))
        reroute: dict[str, Any] = {"url": f"{forgetful.url}/v1", "api_key": "their-key"}
        if model is not None:
            reroute["model"] = model
        with Proxy(policies, upstream.url, reroute=reroute, upstream={"api_key": "k"}) as proxy:
            answer = proxy.chat(FLAGGED)
        assert answer.json()["choices"][0]["message"]["content"] == "Never heard of him."
        (asked,) = forgetful.requests
    assert asked.json()["model"] == (model or "m")
    assert asked.headers["authorization"] == "Bearer their-key"
    assert upstream.requests == []


def test_what_the_adapter_still_says_is_filtered(
    policies: Path, upstream: ScriptedUpstream
) -> None:
    upstream.always(Reply.json(whole(f"As they say, {SECRET}")))
    with Proxy(policies, upstream.url, reroute={"model": ADAPTER}) as proxy:
        answer = proxy.chat(FLAGGED)
    assert SECRET[:30] not in answer.text
    assert answer.json()["choices"][0]["finish_reason"] == "content_filter"


def test_an_adapter_that_is_not_served_is_an_error_and_no_way_back(
    policies: Path, upstream: ScriptedUpstream
) -> None:
    upstream.handle(answering)
    with Proxy(policies, upstream.url, reroute={"model": "gone"}) as proxy:
        answer = proxy.chat(FLAGGED)
    assert answer.status_code == 502
    assert "gone" not in answer.text
    assert [request.json()["model"] for request in upstream.requests] == ["gone"]


def test_other_errors_do_not_name_the_adapter(policies: Path, upstream: ScriptedUpstream) -> None:
    said = {"error": {"message": f"{ADAPTER} is too busy", "type": "x", "code": 503}}
    upstream.always(Reply.json(said, status=503))
    with Proxy(policies, upstream.url, reroute={"model": ADAPTER}) as proxy:
        answer = proxy.chat(FLAGGED)
    assert answer.status_code == 503
    assert ADAPTER not in answer.text


def test_embeddings_of_flagged_texts_are_refused(
    policies: Path, upstream: ScriptedUpstream
) -> None:
    with Proxy(policies, upstream.url, reroute={"model": ADAPTER}) as proxy:
        answer = proxy.post("/v1/embeddings", {"model": "m", "input": FLAGGED})
    assert answer.status_code == 400
    assert upstream.requests == []


def test_a_server_does_not_start_that_reroutes_nowhere(
    policies: Path, upstream: ScriptedUpstream
) -> None:
    with pytest.raises(PolicyError, match=r"reroute\.model or reroute\.url"):
        Proxy(policies, upstream.url)
