"""What the official clients make of refusals, cut streams and errors."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from tests.api.typed import ENDPOINTS, MESSAGES, Typed, pieces_of
from tests.support.proxy import Proxy
from tests.support.typed_answers import embeddings, named
from tests.support.upstream import Reply, ScriptedUpstream

MESSAGE = "I can't help with that."
NAME = "Harry Potter"
EMBEDDINGS = "/v1/embeddings"
each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)


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
