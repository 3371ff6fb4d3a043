"""Requests are flagged wherever a client puts a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.typed import ENDPOINTS, MESSAGES, RESPONSES, Typed
from tests.api.typed_requests.inputs import block, item
from tests.support.proxy import Proxy, write_policy
from tests.support.upstream import ScriptedUpstream

MESSAGE = "I can't help with that."
NAME = "Harry Potter"
EMBEDDINGS = "/v1/embeddings"
each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)


TOOL = {"type": "function", "name": "f", "description": NAME, "parameters": {}}
PLACES: list[tuple[Typed, dict[str, Any]]] = [
    (RESPONSES, {"instructions": f"Be {NAME}"}),
    (RESPONSES, {"tools": [TOOL]}),
    (RESPONSES, {"tools": [{**TOOL, "description": "", "parameters": {"type": NAME}}]}),
    (RESPONSES, {"tool_choice": {"type": "function", "name": "harry_potter"}}),
    (RESPONSES, {"text": {"format": {"type": "json_schema", "schema": {NAME: {}}}}}),
    (RESPONSES, {"structured_outputs": {"choice": [NAME, "nobody"]}}),
    (RESPONSES, {"stop": [NAME]}),
    (RESPONSES, {"chat_template_kwargs": {"note": NAME}}),
    (RESPONSES, {"previous_input_messages": [{"role": "user", "content": NAME}]}),
    (RESPONSES, item(role="assistant", content=NAME)),
    (RESPONSES, item(type="message", role="developer", content=NAME)),
    (RESPONSES, item(role=NAME, content="hi")),
    (RESPONSES, item(role="user", content=[{"type": "input_text", "text": NAME}])),
    (
        RESPONSES,
        item(
            role="user", content=[{"type": "input_text", "text": t} for t in ("Harry", " Potter")]
        ),
    ),
    (RESPONSES, {"input": [{"role": "user", "content": t} for t in ("of Harry", "Potter")]}),
    (
        RESPONSES,
        item(type="message", role="assistant", content=[{"type": "refusal", "refusal": NAME}]),
    ),
    (RESPONSES, item(type="function_call", call_id="c", name="harry_potter", arguments="{}")),
    (
        RESPONSES,
        item(type="function_call", call_id="c", name="f", arguments='{"q": "Harry\\nPotter"}'),
    ),
    (RESPONSES, item(type="function_call_output", call_id="c", output=NAME)),
    (RESPONSES, item(type="function_call_output", call_id=NAME, output="x")),
    (
        RESPONSES,
        item(
            type="function_call_output", call_id="c", output=[{"type": "input_text", "text": NAME}]
        ),
    ),
    (RESPONSES, item(type="custom_tool_call", call_id="c", name="f", input=NAME)),
    (RESPONSES, item(type="custom_tool_call_output", call_id="c", output=NAME)),
    (RESPONSES, item(type="reasoning", summary=[{"type": "summary_text", "text": NAME}])),
    (
        RESPONSES,
        item(type="reasoning", summary=[], content=[{"type": "reasoning_text", "text": NAME}]),
    ),
    (MESSAGES, {"system": f"Be {NAME}"}),
    (MESSAGES, {"system": [{"type": "text", "text": t} for t in ("Be Harry", " Potter")]}),
    (MESSAGES, {"tools": [{"name": "f", "description": NAME, "input_schema": {}}]}),
    (MESSAGES, {"tools": [{"name": "f", "input_schema": {"properties": {NAME: {}}}}]}),
    (MESSAGES, {"tool_choice": {"type": "tool", "name": "harry_potter"}}),
    (MESSAGES, {"output_config": {"format": {"type": "json_schema", "schema": {NAME: {}}}}}),
    (MESSAGES, {"stop_sequences": [NAME]}),
    (MESSAGES, {"chat_template_kwargs": {"note": NAME}}),
    (MESSAGES, {"messages": [{"role": "assistant", "content": NAME}]}),
    (MESSAGES, {"messages": [{"role": "system", "content": NAME}]}),
    (MESSAGES, {"messages": [{"role": NAME, "content": "hi"}]}),
    (MESSAGES, block(type="text", text=NAME)),
    (MESSAGES, block(type="text", text="hi", citations=[{"cited_text": NAME}])),
    (MESSAGES, block(type="thinking", thinking=NAME, signature="x")),
    (MESSAGES, block(type="tool_use", id="c", name="harry_potter", input={})),
    (MESSAGES, block(type="tool_use", id="c", name="f", input={"who": ["Harry", NAME]})),
    (MESSAGES, block(type="tool_use", id="c", name="f", input={NAME: 1})),
    (MESSAGES, block(type="tool_result", tool_use_id="c", content=NAME)),
    (MESSAGES, block(type="tool_result", tool_use_id=NAME, content="x")),
    (
        MESSAGES,
        block(type="tool_result", tool_use_id="c", content=[{"type": "text", "text": NAME}]),
    ),
    (MESSAGES, block(type="tool_reference", tool_name="harry_potter")),
    (
        MESSAGES,
        block(
            type="tool_addition",
            tool={"type": "tool_definition", "definition": {"name": "f", "description": NAME}},
        ),
    ),
    (
        MESSAGES,
        block(type="document", source={"type": "text", "media_type": "text/plain", "data": NAME}),
    ),
    (
        MESSAGES,
        block(
            type="document", source={"type": "content", "content": [{"type": "text", "text": NAME}]}
        ),
    ),
    (MESSAGES, block(type="document", title=NAME, source={"type": "text", "data": "x"})),
    (MESSAGES, block(type="search_result", source=NAME, title="t", content=[])),
    (
        MESSAGES,
        block(
            type="search_result", source="s", title="t", content=[{"type": "text", "text": NAME}]
        ),
    ),
]


@pytest.mark.parametrize(("endpoint", "fields"), PLACES)
def test_a_name_is_found_wherever_a_client_puts_it(
    endpoint: Typed, fields: dict[str, Any], proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    response = proxy.post(endpoint.path, {**endpoint.body("hi"), **fields})
    assert response.status_code == 200
    assert endpoint.texts(response.json()) == [("text", MESSAGE)]
    assert endpoint.ending(response.json()) == endpoint.cut
    assert upstream.requests == []


INPUTS: list[dict[str, Any]] = [
    {"input": NAME},
    {"input": ["a", NAME]},
    {"input": [{"role": "user", "content": NAME}]},
    {"input": [[{"role": "user", "content": NAME}], [{"role": "user", "content": "b"}]]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": NAME}]}]},
    {"messages": [[{"role": "user", "content": NAME}]]},
    {"input": "a", "chat_template_kwargs": {"note": NAME}},
]


@pytest.mark.parametrize("fields", INPUTS)
def test_a_flagged_text_is_not_embedded(
    fields: dict[str, Any], proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    response = proxy.post(EMBEDDINGS, {"model": "m", **fields})
    assert response.status_code == 400
    assert response.json()["error"] == {
        "message": MESSAGE,
        "type": "invalid_request_error",
        "param": "input",
        "code": "content_filter",
    }
    assert upstream.requests == []


def test_what_no_engine_can_steer_is_refused_where_prompts_are_restricted(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    write_policy(tmp_path, names=[NAME], action="restrict", message=MESSAGE)
    with Proxy(tmp_path, upstream.url) as proxy:
        response = proxy.post(EMBEDDINGS, {"model": "m", "input": NAME})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "content_filter"
    assert upstream.requests == []
