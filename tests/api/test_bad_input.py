"""Bad requests: each a clear error in OpenAI's shape, none of them reaches the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.support.policies import PASSAGE
from tests.support.proxy import Proxy, chat_body, write_policy
from tests.support.upstream import Reply, ScriptedUpstream, chat_completion, error

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
USER = [{"role": "user", "content": "hi"}]


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The error, after checking its shape."""
    assert response.status_code == status, response.text
    body = response.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["code"] == code
    found: dict[str, Any] = body["error"]
    return found


@pytest.mark.parametrize(
    ("path", "body", "code", "param"),
    [
        (CHAT, b"{", "invalid_json", None),
        (CHAT, b'{"model": "m", "model": "m"}', "invalid_json", None),
        (CHAT, b"[1]", "invalid_json", None),
        (CHAT, {}, "invalid_type", "model"),
        (CHAT, {"model": "", "messages": USER}, "invalid_type", "model"),
        (CHAT, {"model": 3, "messages": USER}, "invalid_type", "model"),
        (CHAT, {"model": "m"}, "invalid_type", "messages"),
        (CHAT, {"model": "m", "messages": []}, "invalid_type", "messages"),
        (CHAT, {"model": "m", "messages": "hi"}, "invalid_type", "messages"),
        (CHAT, {"model": "m", "messages": ["hi"]}, "invalid_type", "messages[0]"),
        (CHAT, {"model": "m", "messages": [{"content": "x"}]}, "invalid_type", "messages[0]"),
        (
            CHAT,
            {"model": "m", "messages": [{"role": "user", "content": 3}]},
            "invalid_type",
            "messages[0].content",
        ),
        (
            CHAT,
            {"model": "m", "messages": [{"role": "user", "content": [3]}]},
            "invalid_type",
            "messages[0].content",
        ),
        (
            CHAT,
            {"model": "m", "messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "invalid_type",
            "messages[0].content",
        ),
        (
            CHAT,
            {"model": "m", "messages": [{"role": "user", "content": "x", "secret": 1}]},
            "unknown_field",
            "messages[0].secret",
        ),
        (CHAT, chat_body("x", n=0), "invalid_type", "n"),
        (CHAT, chat_body("x", n=10_000), "invalid_type", "n"),
        (CHAT, chat_body("x", n=True), "invalid_type", "n"),
        (CHAT, chat_body("x", stream="yes"), "invalid_type", "stream"),
        (CHAT, chat_body("x", stream_options=[]), "invalid_type", "stream_options"),
        (CHAT, chat_body("x", no_such_field=1), "unknown_field", "no_such_field"),
        (CHAT, chat_body("x", guardrails=[]), "unknown_field", "guardrails"),
        (CHAT, chat_body("x", vllm_xargs={}), "field_refused", "vllm_xargs"),
        (CHAT, chat_body("x", logprobs=True), "field_constrained", "logprobs"),
        (CHAT, chat_body("x", top_logprobs=5), "field_constrained", "top_logprobs"),
        (CHAT, chat_body("x", logprobs=0), "field_constrained", "logprobs"),
        (CHAT, chat_body("x", logit_bias={"5": 100}), "field_constrained", "logit_bias"),
        (CHAT, chat_body("x", echo=True), "field_constrained", "echo"),
        (CHAT, chat_body("x", chat_template="{{x}}"), "field_constrained", "chat_template"),
        (
            CHAT,
            chat_body("x", continue_final_message=True),
            "field_constrained",
            "continue_final_message",
        ),
        (
            CHAT,
            chat_body([{"type": "image_url", "image_url": {"url": "data:"}}]),
            "content_unreadable",
            None,
        ),
        (COMPLETIONS, {"model": "m"}, "invalid_type", "prompt"),
        (COMPLETIONS, {"model": "m", "prompt": []}, "invalid_type", "prompt"),
        (COMPLETIONS, {"model": "m", "prompt": ["a", 3]}, "invalid_type", "prompt"),
        (COMPLETIONS, {"model": "m", "prompt": {"a": 1}}, "invalid_type", "prompt"),
        (COMPLETIONS, {"model": "m", "prompt": ["x"] * 100, "n": 2}, "invalid_type", "n"),
        (COMPLETIONS, {"model": "m", "prompt": [1, 2]}, "content_unreadable", None),
        (COMPLETIONS, {"model": "m", "prompt": [[1], [2]]}, "content_unreadable", None),
        (COMPLETIONS, {"model": "m", "prompt": "x", "echo": True}, "field_constrained", "echo"),
        (
            COMPLETIONS,
            {"model": "m", "prompt": "x", "logprobs": 0},
            "field_constrained",
            "logprobs",
        ),
        (COMPLETIONS, {"model": "m", "prompt_embeds": "x"}, "invalid_type", "prompt"),
        (
            COMPLETIONS,
            {"model": "m", "prompt": "x", "prompt_embeds": "x"},
            "field_refused",
            "prompt_embeds",
        ),
    ],
)
def test_a_bad_request_is_named_and_not_passed_on(
    proxy: Proxy, upstream: ScriptedUpstream, path: str, body: Any, code: str, param: str | None
) -> None:
    found = refused(proxy.post(path, body), 400, code)
    assert found["param"] == param
    assert upstream.requests == []


@pytest.mark.parametrize(
    "fields",
    [
        {"logprobs": False},
        {"logprobs": None},
        {"top_logprobs": 0},
        {"logit_bias": {}},
        {"store": False},
        {"modalities": ["text"]},
        {"temperature": 0.2, "seed": 1, "stop": ["\n"], "user": "me", "metadata": {"a": "b"}},
    ],
)
def test_the_harmless_value_of_a_constrained_field_is_served(
    proxy: Proxy, upstream: ScriptedUpstream, fields: dict[str, Any]
) -> None:
    upstream.always(Reply.json(chat_completion("fine")))
    assert proxy.chat("x", **fields).status_code == 200


def test_a_giant_body_is_refused(policies: Path, upstream: ScriptedUpstream) -> None:
    with Proxy(policies, upstream.url, limits={"max_body_bytes": 10_000}) as proxy:
        refused(proxy.chat("x" * 20_000), 413, "body_too_large")
        assert upstream.requests == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/v1/embeddings/", 404, "unknown_path"),
        ("GET", "/v1/responses/resp_1", 404, "unknown_path"),
        ("POST", "/tokenize", 404, "unknown_path"),
        ("POST", "/v1/chat/completions/", 404, "unknown_path"),
        ("POST", "//v1/chat/completions", 404, "unknown_path"),
        ("POST", "/V1/CHAT/COMPLETIONS", 404, "unknown_path"),
        ("POST", "/v1/chat/completions/render", 404, "unknown_path"),
        ("POST", "/inference/v1/generate", 404, "unknown_path"),
        ("GET", "/docs", 404, "unknown_path"),
        ("GET", "/", 404, "unknown_path"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("GET", "/v1/guard/check", 405, "method_not_allowed"),
    ],
)
def test_everything_else_is_refused(
    proxy: Proxy, upstream: ScriptedUpstream, method: str, path: str, status: int, code: str
) -> None:
    response = httpx.request(method, proxy.url + path)
    refused(response, status, code)
    assert ("allow" in response.headers) == (status == 405)  # RFC 9110, section 15.5.6
    assert upstream.requests == []


def test_an_unknown_model_is_the_upstreams_own_error(
    proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    said = error("The model `m` does not exist.", type="NotFoundError", code=404)
    upstream.reply(Reply.json(said, status=404))
    client = proxy.openai()
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])


@pytest.mark.parametrize(
    "body",
    [
        error("Bad prompt: Harry Potter was born in"),
        error(f"cannot parse: {PASSAGE}"),
        {"detail": "Harry Potter"},
        {"error": "Harry Potter"},
        "Harry Potter",
    ],
)
@pytest.mark.parametrize("status", [400, 422, 500, 503])
def test_an_upstream_error_never_carries_forbidden_text(
    proxy: Proxy, upstream: ScriptedUpstream, body: Any, status: int
) -> None:
    upstream.reply(Reply.json(body, status=status))
    found = refused(proxy.chat("x"), status, "upstream_error")
    assert "Harry" not in str(found)
    assert "nightjar" not in str(found)


def test_an_expired_policy_is_not_enforced(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    import datetime

    write_policy(tmp_path, names=["Harry Potter"], until=datetime.date(2020, 1, 1))
    upstream.always(Reply.json(chat_completion("Harry Potter")))
    with Proxy(tmp_path, upstream.url) as proxy:
        answer = proxy.chat("Who is Harry Potter?").json()
    assert answer["choices"][0]["message"]["content"] == "Harry Potter"
