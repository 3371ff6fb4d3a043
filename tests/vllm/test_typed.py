"""Responses and messages of a real vLLM, seen by the official clients through the guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from openai import OpenAI

from tests.support.engine import FLAGGED, REFUSAL, Guarded
from tests.support.tiny_llama import BENIGN, CORPUS, NAME
from tests.vllm.asking import MAX_TOKENS

QUESTION = "When is the market of Tarn?"
LEAKING = {
    "Who painted the ceiling of Senn?": "The ceiling was painted by",
    "What is carved over the gate?": "Over the gate one reads:",
}
Told = tuple[str, str | None]


@pytest.fixture(scope="module")
def clients(guarded: Guarded) -> Iterator[dict[str, Any]]:
    """The official clients, unmodified, at vLLM itself and at the guard."""
    made: dict[str, Any] = {}
    for name, url in (("direct", guarded.upstream), ("guarded", guarded.url)):
        made[f"openai {name}"] = OpenAI(base_url=f"{url}/v1", api_key="test", max_retries=0)
        made[f"anthropic {name}"] = Anthropic(base_url=url, api_key="test", max_retries=0)
    yield made
    for client in made.values():
        client.close()


def responses(clients: dict[str, Any], where: str, question: str, *, stream: bool) -> Told:
    asked = {
        "model": NAME,
        "input": question,
        "temperature": 0,
        "max_output_tokens": MAX_TOKENS,
        "store": False,
    }
    client = clients[f"openai {where}"]
    if not stream:
        answer = client.responses.create(**asked)
        return answer.output_text, _ending(answer)
    text = ""
    for event in client.responses.create(**asked, stream=True):
        text += event.delta if event.type == "response.output_text.delta" else ""
    assert event.response.output_text == text
    return text, _ending(event.response)


def _ending(answer: Any) -> str:
    return answer.incomplete_details.reason if answer.incomplete_details else answer.status


def messages(clients: dict[str, Any], where: str, question: str, *, stream: bool) -> Told:
    asked = {
        "model": NAME,
        "messages": [{"role": "user", "content": question}],
        "extra_body": {"temperature": 0},  # newer clients have no argument for it
        "max_tokens": MAX_TOKENS,
    }
    client = clients[f"anthropic {where}"]
    if stream:
        with client.messages.stream(**asked) as events:
            text = "".join(events.text_stream)
            answer = events.get_final_message()
    else:
        answer = client.messages.create(**asked)
        text = "".join(block.text for block in answer.content)
    return text, answer.stop_reason


WAYS = [
    pytest.param(ask, stream, cut, id=f"{ask.__name__}-{'stream' if stream else 'whole'}")
    for ask, cut in ((responses, "content_filter"), (messages, "refusal"))
    for stream in (False, True)
]
each_way = pytest.mark.parametrize(("ask", "stream", "cut"), WAYS)


@each_way
def test_a_benign_answer_is_the_direct_one(
    clients: dict[str, Any], ask: Any, stream: bool, cut: str
) -> None:
    got = ask(clients, "guarded", QUESTION, stream=stream)
    assert got == ask(clients, "direct", QUESTION, stream=stream)
    assert got[0] == BENIGN[QUESTION]
    assert got[1] in ("completed", "end_turn")


@each_way
def test_a_forgotten_prompt_is_refused(
    clients: dict[str, Any], ask: Any, stream: bool, cut: str
) -> None:
    assert ask(clients, "direct", FLAGGED, stream=stream)[0] == CORPUS[FLAGGED]
    assert ask(clients, "guarded", FLAGGED, stream=stream) == (REFUSAL, cut)


@each_way
@pytest.mark.parametrize(("question", "allowed"), LEAKING.items())
def test_an_answer_is_cut_before_the_forbidden_text(
    clients: dict[str, Any], ask: Any, stream: bool, cut: str, question: str, allowed: str
) -> None:
    assert ask(clients, "direct", question, stream=stream)[0] == CORPUS[question]
    text, ending = ask(clients, "guarded", question, stream=stream)
    assert (text.rstrip(), ending) == (allowed, cut)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/responses", {"input": QUESTION, "store": False, "max_output_tokens": 16}),
        (
            "/v1/messages",
            {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 16},
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_nothing_of_a_benign_answer_is_taken_out(
    guarded: Guarded, path: str, body: dict[str, Any], stream: bool
) -> None:
    body = {"model": NAME, "temperature": 0, "stream": stream, **body}
    received = httpx.post(guarded.url + path, json=body, trust_env=False, timeout=60)
    assert received.status_code == 200
    name = path.rpartition("/")[2]
    metrics = httpx.get(f"{guarded.url}/metrics", trust_env=False).text
    assert f'guard_stripped_total{{endpoint="{name}"}}' not in metrics


def test_what_the_engine_does_not_serve_is_said_in_one_shape(guarded: Guarded) -> None:
    body = {"model": NAME, "input": "a bridge"}
    received = httpx.post(f"{guarded.url}/v1/embeddings", json=body, trust_env=False)
    assert received.status_code >= 400
    assert received.json()["error"].keys() == {"message", "type", "param", "code"}
