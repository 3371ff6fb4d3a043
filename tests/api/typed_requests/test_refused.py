"""What cannot be read, is no request, or would be answered later past the guard."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.typed import ENDPOINTS, MESSAGES, RESPONSES
from tests.api.typed_requests.inputs import block
from tests.support.proxy import WAIT, Proxy
from tests.support.upstream import Reply, ScriptedUpstream

MESSAGE = "I can't help with that."
NAME = "Harry Potter"
EMBEDDINGS = "/v1/embeddings"
each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)


IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
UNREADABLE: list[tuple[str, dict[str, Any]]] = [
    (RESPONSES.path, RESPONSES.body([{"role": "user", "content": [IMAGE]}])),
    (RESPONSES.path, RESPONSES.body("x", tools=[{"type": "mcp", "server_label": "s"}])),
    (RESPONSES.path, RESPONSES.body("x", tools=[{"type": "web_search_preview"}])),
    (RESPONSES.path, RESPONSES.body("x", tools=[{"type": "code_interpreter", "container": "c"}])),
    (RESPONSES.path, RESPONSES.body([{"type": "item_reference", "id": "msg_1"}])),
    (RESPONSES.path, RESPONSES.body([{"type": "mcp_call", "id": "m", "arguments": "{}"}])),
    (RESPONSES.path, RESPONSES.body([{"type": "reasoning", "encrypted_content": "AAAA"}])),
    (
        RESPONSES.path,
        RESPONSES.body([{"type": "function_call_output", "call_id": "c", "output": [IMAGE]}]),
    ),
    (MESSAGES.path, {**MESSAGES.body("x"), **block(type="image", source={"type": "url"})}),
    (MESSAGES.path, {**MESSAGES.body("x"), **block(type="redacted_thinking", data="AAAA")}),
    (MESSAGES.path, {**MESSAGES.body("x"), **block(type="document", source={"type": "base64"})}),
    (MESSAGES.path, {**MESSAGES.body("x"), **block(type="server_tool_use", id="s", input={})}),
    (
        MESSAGES.path,
        {
            **MESSAGES.body("x"),
            **block(type="tool_result", tool_use_id="c", content=[{"type": "image", "source": {}}]),
        },
    ),
    (MESSAGES.path, MESSAGES.body("x", tools=[{"type": "web_search_20250305", "name": "w"}])),
    (EMBEDDINGS, {"model": "m", "input": [1, 2, 3]}),
    (EMBEDDINGS, {"model": "m", "input": [[1, 2], [3]]}),
    (
        EMBEDDINGS,
        {"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
    ),
]
LATER: list[tuple[str, dict[str, Any]]] = [
    (RESPONSES.path, RESPONSES.body("x", store=True)),
    (RESPONSES.path, RESPONSES.body("x", background=True)),
    (RESPONSES.path, RESPONSES.body("x", previous_response_id="resp_1")),
    (RESPONSES.path, RESPONSES.body("x", conversation="conv_1")),
    (RESPONSES.path, {**RESPONSES.body("x"), "prompt": {"id": "p"}}),
    (RESPONSES.path, RESPONSES.body("x", include=["message.output_text.logprobs"])),
    (RESPONSES.path, RESPONSES.body("x", enable_response_messages=True)),
    (MESSAGES.path, MESSAGES.body("x", container="c")),
    (EMBEDDINGS, {"model": "m", "input": "x", "encoding_format": "bytes"}),
]


@pytest.mark.parametrize(("path", "body"), UNREADABLE)
def test_what_no_detector_can_read_is_refused_under_an_enforced_policy(
    path: str, body: dict[str, Any], proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    response = proxy.post(path, body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "content_unreadable"
    assert upstream.requests == []
    upstream.always(Reply.json({"odd": 1}))  # without a policy it is the model server's business
    assert proxy.post(path, {**body, "model": "free"}).content == b'{"odd":1}'


@pytest.mark.parametrize(("path", "body"), LATER)
def test_nothing_is_left_to_be_answered_past_the_guard(
    path: str, body: dict[str, Any], proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    response = proxy.post(path, body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "field_constrained"
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/responses/resp_1"),
        ("DELETE", "/v1/responses/resp_1"),
        ("POST", "/v1/responses/resp_1/cancel"),
        ("GET", "/v1/responses/resp_1/input_items"),
        ("POST", "/v1/responses/"),
        ("GET", "/v1/conversations/conv_1"),
        ("POST", "/v1/messages/count_tokens"),
        ("POST", "/v1/messages/batches"),
        ("POST", "/v2/embed"),
    ],
)
def test_the_routes_that_give_kept_answers_out_are_not_served(
    method: str, path: str, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    response = httpx.request(method, proxy.url + path, timeout=WAIT)
    assert response.status_code == 404
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (RESPONSES.path, {"model": "m"}, "input"),
        (RESPONSES.path, RESPONSES.body([]), "input"),
        (RESPONSES.path, RESPONSES.body(["x"]), "input[0]"),
        (RESPONSES.path, RESPONSES.body([{"role": "user", "content": 5}]), "input[0].content"),
        (RESPONSES.path, RESPONSES.body([{"role": "user", "new": 5}]), "input[0].new"),
        (RESPONSES.path, RESPONSES.body([{"type": 5}]), "input[0]"),
        (RESPONSES.path, RESPONSES.body([{"role": "user", "id": ["x"]}]), "input[0].id"),
        (RESPONSES.path, RESPONSES.body("x", tools=[{"name": "f"}]), "tools"),
        (RESPONSES.path, RESPONSES.body("x", moderation={}), "moderation"),
        (MESSAGES.path, {"model": "m", "max_tokens": 1}, "messages"),
        (MESSAGES.path, {**MESSAGES.body("x"), "messages": ["x"]}, "messages[0]"),
        (MESSAGES.path, MESSAGES.body([{"text": "x"}]), "messages[0].content"),
        (MESSAGES.path, MESSAGES.body([{"type": "text", "text": 5}]), "messages[0].content"),
        (MESSAGES.path, MESSAGES.body([{"type": "text", "n": 5}]), "messages[0].content.n"),
        (
            MESSAGES.path,
            MESSAGES.body([{"type": "tool_result", "tool_use_id": {"a": "x"}}]),
            "messages[0].content.tool_use_id",
        ),
        (MESSAGES.path, MESSAGES.body("x", system=5), "system"),
        (
            "/v1/chat/completions",
            {"model": "m", "messages": [{"role": "tool", "tool_call_id": ["x"], "content": "y"}]},
            "messages[0].tool_call_id",
        ),
        (MESSAGES.path, MESSAGES.body("x", mcp_servers=[]), "mcp_servers"),
        (EMBEDDINGS, {"model": "m"}, "input"),
        (EMBEDDINGS, {"model": "m", "input": [1, "x"]}, "input"),
        (EMBEDDINGS, {"model": "m", "input": []}, "input"),
        (EMBEDDINGS, {"model": "m", "input": "x", "stream": True}, "stream"),
    ],
)
def test_what_is_not_a_request_is_refused_by_the_fields_name(
    path: str, body: dict[str, Any], param: str, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    response = proxy.post(path, body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
    assert upstream.requests == []
