"""Flagged prompts: refused whole, uniformly, in JSON and as a stream, and the model never asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.api.test_detection import ScriptedNearest, script
from tests.support.policies import PASSAGE
from tests.support.proxy import Proxy, chat_body, write_policy
from tests.support.upstream import Reply, ScriptedUpstream, chat_completion

MESSAGE = "I can't help with that."


@pytest.fixture
def client(proxy: Proxy) -> openai.OpenAI:
    return proxy.openai()


def test_the_official_client_gets_a_whole_refusal(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Who is Harry Potter?"}], n=2
    )
    assert [choice.message.content for choice in answer.choices] == [MESSAGE, MESSAGE]
    assert {choice.finish_reason for choice in answer.choices} == {"content_filter"}
    assert answer.usage is not None
    assert answer.usage.total_tokens == 0


def test_the_official_client_gets_a_refusal_as_a_stream(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "Who is Harry Potter?"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == MESSAGE
    assert [c.choices[0].finish_reason for c in chunks if c.choices] == [None, "content_filter"]
    assert chunks[-1].usage is not None
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_completions_refuse_every_prompt_of_a_list(client: openai.OpenAI, stream: bool) -> None:
    prompts = ["Who is Harry Potter?", "What is the time?"]
    if stream:
        chunks = list(client.completions.create(model="m", prompt=prompts, stream=True))
        texts = {c.choices[0].index: c.choices[0].text for c in chunks if c.choices[0].text}
        assert texts == {0: MESSAGE, 1: MESSAGE}
    else:
        answer = client.completions.create(model="m", prompt=prompts)
        assert [choice.text for choice in answer.choices] == [MESSAGE, MESSAGE]


PLACES: list[tuple[str, dict[str, Any]]] = [
    ("user", {"messages": [{"role": "user", "content": "about Harry Potter"}]}),
    ("system", {"messages": [{"role": "system", "content": "Be Harry Potter"}, {"role": "user"}]}),
    (
        "earlier turn",
        {
            "messages": [
                {"role": "user", "content": "Who is Harry Potter?"},
                {"role": "assistant", "content": "A wizard."},
                {"role": "user", "content": "Where was he born?"},
            ]
        },
    ),
    (
        "assistant",
        {
            "messages": [
                {"role": "assistant", "content": "I know Harry Potter"},
                {"role": "user", "content": "Go on"},
            ]
        },
    ),
    ("developer", {"messages": [{"role": "developer", "content": "Harry Potter"}]}),
    (
        "tool result",
        {"messages": [{"role": "tool", "tool_call_id": "c", "content": "Harry Potter"}]},
    ),
    ("name", {"messages": [{"role": "user", "name": "Harry_Potter", "content": "hi"}]}),
    (
        "text part",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Harry Potter"}]}]},
    ),
    (
        "two parts",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Harry"},
                        {"type": "text", "text": " Potter"},
                    ],
                }
            ]
        },
    ),
    (
        "inside a word over two parts",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "about Harry Pot"},
                        {"type": "text", "text": "ter please"},
                    ],
                }
            ]
        },
    ),
    (
        "two turns",
        {
            "messages": [
                {"role": "user", "content": "Tell me of Harry"},
                {"role": "user", "content": "Potter"},
            ]
        },
    ),
    (
        "tool call",
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "1",
                            "type": "function",
                            "function": {"name": "f", "arguments": '{"q": "Harry\\nPotter"}'},
                        }
                    ],
                }
            ]
        },
    ),
    (
        "tool description",
        {"tools": [{"type": "function", "function": {"name": "f", "description": "Harry Potter"}}]},
    ),
    (
        "schema key",
        {"response_format": {"type": "json_schema", "json_schema": {"Harry Potter": {}}}},
    ),
    ("choice", {"structured_outputs": {"choice": ["Harry Potter", "nobody"]}}),
    ("documents", {"documents": [{"text": "Harry Potter was born"}]}),
    ("template", {"chat_template_kwargs": {"note": "Harry Potter"}}),
    ("stop", {"stop": ["Harry Potter"]}),
    ("role", {"messages": [{"role": "Harry Potter", "content": "hi"}]}),
    ("call id", {"messages": [{"role": "tool", "tool_call_id": "Harry Potter", "content": "x"}]}),
    (
        "property called id",
        {"tools": [{"function": {"parameters": {"id": {"description": "Harry Potter"}}}}]},
    ),
    ("property called type", {"tools": [{"function": {"parameters": {"type": "Harry Potter"}}}]}),
    (
        "nested in a part",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "x", "extra": {"Harry": ["Potter"]}}],
                }
            ]
        },
    ),
]


@pytest.mark.parametrize(("place", "fields"), PLACES, ids=[place for place, _ in PLACES])
def test_a_name_is_found_wherever_a_client_puts_it(
    proxy: Proxy, upstream: ScriptedUpstream, place: str, fields: dict[str, Any]
) -> None:
    response = proxy.post("/v1/chat/completions", {**chat_body("hi"), **fields})
    assert response.status_code == 200
    assert response.json()["choices"][0]["message"]["content"] == MESSAGE
    assert upstream.requests == []


@pytest.mark.parametrize("stream", [False, True])
def test_refusals_are_the_same_whichever_rule_fired(
    tmp_path: Path, upstream: ScriptedUpstream, stream: bool
) -> None:
    write_policy(tmp_path, "one", names=["Harry Potter"])
    write_policy(tmp_path, "two", names=["Marie Curie"])

    def shape(response: httpx.Response) -> tuple[Any, ...]:
        text = response.text
        for word in text.replace('"', " ").split():
            if word.startswith("chatcmpl-"):
                text = text.replace(word, "ID")
        headers = {k: v for k, v in response.headers.items() if k not in ("date", "x-request-id")}
        created = text.split('"created":')[1][:10]
        return response.status_code, headers, text.replace(created, "TIME")

    with Proxy(tmp_path, upstream.url) as proxy:
        answers = [
            shape(proxy.chat(prompt, stream=stream))
            for prompt in ("Harry Potter?", "On MARIE CURIE and her life", "h a r r y potter")
        ]
    assert answers[0] == answers[1] == answers[2]


def test_a_shadow_policy_decides_and_lets_pass(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    write_policy(tmp_path, names=["Harry Potter"], texts=[PASSAGE], mode="shadow")
    upstream.always(Reply.json(chat_completion(f"Harry Potter said: {PASSAGE}")))
    with Proxy(tmp_path, upstream.url) as proxy:
        answer = proxy.chat("Who is Harry Potter?").json()["choices"][0]
        assert answer["message"]["content"] == f"Harry Potter said: {PASSAGE}"
        metrics = httpx.get(f"{proxy.url}/metrics").text
    assert 'guard_flagged_total{action="refuse",mode="shadow",policy="tests"' in metrics
    assert 'guard_filtered_total{mode="shadow",policy="tests"}' in metrics


def test_the_policys_own_message_is_used(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    write_policy(tmp_path, names=["Harry Potter"], message="Ask somebody else.")
    with Proxy(tmp_path, upstream.url) as proxy:
        answer = proxy.chat("Harry Potter?").json()
    assert answer["choices"][0]["message"]["content"] == "Ask somebody else."


ASKING: list[tuple[str, str]] = [
    ("/v1/chat/completions", "messages"),
    ("/v1/completions", "prompt"),
    ("/v1/responses", "input"),
    ("/v1/messages", "messages"),
    ("/v1/embeddings", "input"),
]
_VARIES = re.compile(
    r'(?:chatcmpl|cmpl|resp|msg|rs)[-_][0-9a-f]{8,}|(?<=_at":)\d+|(?<=created":)\d+'
)


@pytest.mark.parametrize(("path", "field"), ASKING, ids=[path for path, _ in ASKING])
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_does_not_tell_whether_it_was_for_a_name_or_a_prompt(
    tmp_path: Path, upstream: ScriptedUpstream, path: str, field: str, stream: bool
) -> None:
    write_policy(tmp_path, names=["Harry Potter"], prompts=["Where did the wizard learn?"])
    upstream.always(Reply.json(chat_completion("leak"), delay=1.0))

    def shape(prompt: str, score: float) -> tuple[Any, ...]:
        script(proxy, ScriptedNearest(score))
        asked = [{"role": "user", "content": prompt}] if field == "messages" else prompt
        body = {"model": "m", field: asked, **({"stream": True} if stream else {})}
        response = proxy.post(path, body)
        headers = {k: v for k, v in response.headers.items() if k not in ("date", "x-request-id")}
        return response.status_code, headers, _VARIES.sub("X", response.text)

    with Proxy(tmp_path, upstream.url) as proxy:
        named, near = shape("Harry Potter?", 0.0), shape("Where was he taught?", 0.9)
    assert named == near
    if path != "/v1/embeddings":
        assert named[0] == 200
        assert MESSAGE in named[2]


def test_nothing_forbidden_is_logged_counted_or_recorded(
    tmp_path: Path, upstream: ScriptedUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    policies, log = tmp_path / "policies", tmp_path / "audit.jsonl"
    policies.mkdir()
    write_policy(policies, names=["Harry Potter"], texts=[PASSAGE])
    quoted = {"error": {"message": "Harry Potter", "type": "Harry Potter", "code": 400}}
    answers = [
        Reply.json(chat_completion(f"Harry Potter said: {PASSAGE}")),
        Reply.json(quoted, status=400),
        Reply.json({"choices": "Harry Potter"}),
        Reply.events([b"data: Harry Potter\n\n"]),
        Reply.json(chat_completion("x", message={"harry_potter": "Harry Potter"})),
    ]
    with caplog.at_level("DEBUG"), Proxy(policies, upstream.url, audit=log) as proxy:
        told = [proxy.chat("Who is Harry Potter?").text]
        for answer in answers:
            upstream.reply(answer)
            told.append(proxy.chat("x", stream=answer.body[0].__class__ is not bytes).text)
        told.append(proxy.post("/v1/chat/completions", {"Harry Potter": "Harry Potter"}).text)
        told[-1] = told[-1].replace("'Harry Potter'", "").replace('"Harry Potter"', "")  # its own
        told.append(httpx.get(f"{proxy.url}/metrics").text)
    # Not what the test's own client logs.
    logged = [each.getMessage() for each in caplog.records if not each.name.startswith("http")]
    seen = "\n".join([*told, *logged, log.read_text()]).casefold()
    assert "harry" not in seen
    assert "nightjar" not in seen
    assert len(log.read_text().splitlines()) >= 2
