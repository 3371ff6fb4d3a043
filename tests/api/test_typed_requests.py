"""Requests to responses, messages and embeddings: flagged wherever a client puts a name, refused
in the words of each protocol, and nothing left behind that could be answered past the guard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import orjson
import pytest

from tests.api.typed import ENDPOINTS, MESSAGES, RESPONSES, Typed, pieces_of, stream_bytes
from tests.support.proxy import WAIT, Proxy, write_policy
from tests.support.typed_answers import embeddings, named
from tests.support.upstream import Reply, ScriptedUpstream

MESSAGE = "I can't help with that."
NAME = "Harry Potter"
EMBEDDINGS = "/v1/embeddings"
each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, ScriptedUpstream]]:
    directory = tmp_path_factory.mktemp("policies")
    write_policy(directory, names=[NAME], applies_to={"models": ["m"]})
    write_policy(directory, "other", names=["Marie Curie"], applies_to={"models": ["m"]})
    with ScriptedUpstream() as upstream, Proxy(directory, upstream.url) as proxy:
        yield proxy, upstream


@pytest.fixture
def upstream(lasting: tuple[Proxy, ScriptedUpstream]) -> ScriptedUpstream:
    lasting[1].forget()
    return lasting[1]


@pytest.fixture
def proxy(lasting: tuple[Proxy, ScriptedUpstream]) -> Proxy:
    return lasting[0]


@pytest.fixture
def claude(proxy: Proxy) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=proxy.url, api_key="none", max_retries=0)


# --- refusals, by the official clients ---------------------------------------------------------


def test_the_openai_client_gets_a_whole_refusal(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    answer = proxy.openai().responses.create(model="m", input=f"Who is {NAME}?")
    assert answer.output_text == MESSAGE
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "content_filter"
    assert upstream.requests == []


def test_the_openai_client_gets_a_refusal_as_a_stream(
    proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    events = list(proxy.openai().responses.create(model="m", input=NAME, stream=True))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == MESSAGE
    last = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.output_text == MESSAGE
    assert upstream.requests == []


def test_the_anthropic_client_gets_a_whole_refusal(
    claude: anthropic.Anthropic, upstream: ScriptedUpstream
) -> None:
    answer = claude.messages.create(
        model="m", max_tokens=64, messages=[{"role": "user", "content": f"Who is {NAME}?"}]
    )
    assert [block.text for block in answer.content if block.type == "text"] == [MESSAGE]
    assert answer.stop_reason == "refusal"
    assert upstream.requests == []


def test_the_anthropic_client_gets_a_refusal_as_a_stream(
    claude: anthropic.Anthropic, upstream: ScriptedUpstream
) -> None:
    asked: Any = [{"role": "user", "content": NAME}]
    with claude.messages.stream(model="m", max_tokens=64, messages=asked) as stream:
        assert "".join(stream.text_stream) == MESSAGE
        assert stream.get_final_message().stop_reason == "refusal"
    assert upstream.requests == []


def test_the_clients_read_cut_streams(
    proxy: Proxy, claude: anthropic.Anthropic, upstream: ScriptedUpstream
) -> None:
    pieces = pieces_of([("reasoning", "Hm."), ("text", f"It is {NAME} indeed")])
    upstream.reply(*(Reply.events(named(each.events(pieces))) for each in ENDPOINTS))
    events = list(proxy.openai().responses.create(model="m", input="x", stream=True))
    last = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.output_text == "It is "
    asked: Any = [{"role": "user", "content": "x"}]
    with claude.messages.stream(model="m", max_tokens=64, messages=asked) as stream:
        answer = stream.get_final_message()
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.content[-1].model_dump()["text"] == "It is "
    assert answer.stop_reason == "refusal"


def test_the_openai_client_gets_vectors_and_an_error_for_a_flagged_text(
    proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    upstream.reply(Reply.json(embeddings([0.5, -0.25])))
    client = proxy.openai()
    answer = client.embeddings.create(model="m", input="a bridge", encoding_format="float")
    assert answer.data[0].embedding == [0.5, -0.25]
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="m", input=["a bridge", f"on {NAME}"])
    assert caught.value.code == "content_filter"
    assert MESSAGE in caught.value.message
    assert len(upstream.requests) == 1


@each_endpoint
@pytest.mark.parametrize("stream", [False, True])
def test_refusals_are_the_same_whichever_rule_fired(
    endpoint: Typed, stream: bool, proxy: Proxy
) -> None:
    def shape(prompt: str) -> str:
        response = proxy.post(endpoint.path, endpoint.body(prompt, stream=stream))
        assert response.status_code == 200
        text = response.text
        for word in text.replace('"', " ").split():
            if word.startswith(("resp_", "msg_")):
                text = text.replace(word, "ID")
        created = text.partition('"created_at":')[2][:10]
        return text.replace(created, "TIME") if created else text

    assert len({shape(prompt) for prompt in (NAME, "On MARIE CURIE", "h a r r y potter")}) == 1


# --- where a name can be -----------------------------------------------------------------------


def item(**fields: Any) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": "hi"}, fields]}


def block(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [fields]}]}


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


# --- what cannot be read, or would be answered later -------------------------------------------

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
        (RESPONSES.path, RESPONSES.body("x", tools=[{"name": "f"}]), "tools"),
        (RESPONSES.path, RESPONSES.body("x", moderation={}), "moderation"),
        (MESSAGES.path, {"model": "m", "max_tokens": 1}, "messages"),
        (MESSAGES.path, {**MESSAGES.body("x"), "messages": ["x"]}, "messages[0]"),
        (MESSAGES.path, MESSAGES.body([{"text": "x"}]), "messages[0].content"),
        (MESSAGES.path, MESSAGES.body([{"type": "text", "text": 5}]), "messages[0].content"),
        (MESSAGES.path, MESSAGES.body([{"type": "text", "n": 5}]), "messages[0].content.n"),
        (MESSAGES.path, MESSAGES.body("x", system=5), "system"),
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


# --- evidence ----------------------------------------------------------------------------------


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


# --- errors ------------------------------------------------------------------------------------


def test_the_anthropic_client_tells_errors_apart(
    claude: anthropic.Anthropic, upstream: ScriptedUpstream
) -> None:
    asked: Any = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
    with pytest.raises(anthropic.BadRequestError) as refused:
        claude.messages.create(**asked, extra_body={"vllm_xargs": {}})
    body: Any = refused.value.body
    assert body["type"] == "error"
    assert body["error"]["type"] == "invalid_request_error"
    assert body["error"]["code"] == "field_refused"
    quoted = {"error": {"type": "NotFoundError", "message": f"no model {NAME}"}}
    plain = {"type": "error", "error": {"type": "NotFoundError", "message": "no such model"}}
    upstream.reply(Reply.json(quoted, status=404), Reply.json(plain, status=404))
    for text in ("HTTP status 404", "no such model"):
        with pytest.raises(anthropic.NotFoundError) as missing:
            claude.messages.create(**asked)
        assert text in str(missing.value)
        assert NAME not in str(missing.value)


def test_an_error_in_the_midst_of_a_stream_reaches_the_anthropic_client(
    claude: anthropic.Anthropic, upstream: ScriptedUpstream
) -> None:
    events = named(MESSAGES.events([("text", ["fine "])])[:3])
    upstream.reply(Reply.events([*events, b"data: not json\n\n"]))
    asked: Any = [{"role": "user", "content": "x"}]
    with (
        pytest.raises(anthropic.APIStatusError),
        claude.messages.stream(model="m", max_tokens=1, messages=asked) as stream,
    ):
        stream.get_final_message()


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
