"""Answers that are taken back, over real sockets: the model is a few tokens, vLLM's routes real."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.api.chats import CHAT, COMPLETIONS, channel_text, events, finishes
from tests.support.proxy import Proxy, chat_body, until, write_policy
from tests.support.token_model import TokenModel
from tests.support.upstream import Fault, Reply, ScriptedUpstream, chat_chunk, sse

HARRY = ["It", " was", " Harry", " Potter", "."]
NOBODY = ["It", " was", " a", " wizard", "."]
SPELT = ["It", " was", " Har", "ry", " Potter", " again"]
LONGER = ["It", " was", " a", " friend", " of", " Harry", " Potter"]
WAYS = [(CHAT, False), (CHAT, True), (COMPLETIONS, False), (COMPLETIONS, True)]
each_way = pytest.mark.parametrize(("path", "stream"), WAYS)


def body_of(path: str, stream: bool, **fields: Any) -> dict[str, Any]:
    given = {"max_tokens": 30, "stream": stream, **fields}
    if stream:
        given.setdefault("stream_options", {"include_usage": True})
    if path == CHAT:
        return dict(chat_body("Who was it?", **given))
    return {"model": "m", "prompt": "<user>Who was it?<end><assistant>", **given}


def asked(proxy: Proxy, path: str, body: Any) -> tuple[dict[int, tuple[str, str]], Any]:
    """Text and reason of each choice, and the usage. Checks the shape of a stream on the way."""
    response = proxy.post(path, body)
    assert response.status_code == 200
    if not body["stream"]:
        answer = response.json()
        return {
            choice["index"]: (
                choice["message"]["content"] if path == CHAT else choice["text"],
                choice["finish_reason"],
            )
            for choice in answer["choices"]
        }, answer.get("usage")
    raw = response.content
    *shown, done = events(raw)
    assert done == "[DONE]"
    assert len({(event["id"], event["created"], event["object"]) for event in shown}) == 1
    roles = [c for e in shown for c in e["choices"] if "role" in c.get("delta", {})]
    reasons = finishes(raw)
    assert len(roles) == (len(reasons) if path == CHAT else 0)
    key = ("delta", "content") if path == CHAT else ("text",)
    usage = [event["usage"] for event in shown if event.get("usage")]
    found = {lane: (channel_text(raw, *key, lane=lane), why) for lane, why in reasons.items()}
    return found, usage[0] if usage else None


@pytest.fixture
def served(tmp_path: Path, upstream: ScriptedUpstream) -> Callable[..., Proxy]:
    def serve(model: TokenModel, rewinds: int = 3, **settings: Any) -> Proxy:
        policies = tmp_path / "policies"
        policies.mkdir()
        write_policy(policies, names=["Harry Potter"], restrict={"rewinds": rewinds})
        upstream.handle(model.handle)
        return Proxy(policies, upstream.url, audit=tmp_path / "audit.jsonl", **settings)

    return serve


def records(folder: Path) -> list[Any]:
    lines = (folder / "audit.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def metric(proxy: Proxy, name: str) -> float:
    for line in httpx.get(f"{proxy.url}/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.rpartition(" ")[2])
    return 0.0


CONTINUED = 'guard_rewinds_total{policy="tests",result="continued"}'
ENDED = 'guard_rewinds_total{policy="tests",result="ended"}'


@each_way
@pytest.mark.parametrize(
    ("stories", "text", "times"),
    [
        ([HARRY, NOBODY], "It was a wizard.", 1),
        ([HARRY, SPELT, NOBODY], "It was a wizard.", 2),
        ([HARRY, LONGER, [*LONGER[:5], " many"]], "It was a friend of many", 2),
        ([HARRY], "It was", 1),
        ([["Harry Potter"], ["Harry", " Potter"], ["Hello"]], "Hello", 2),
    ],
)
def test_the_model_goes_on_in_another_way(
    served: Callable[..., Proxy],
    tmp_path: Path,
    path: str,
    stream: bool,
    stories: Any,
    text: str,
    times: int,
) -> None:
    model = TokenModel(stories)
    with served(model) as proxy:
        before = metric(proxy, CONTINUED)
        found, usage = asked(proxy, path, body_of(path, stream))
        assert metric(proxy, CONTINUED) - before == times
    assert found == {0: (text, "stop")}
    assert usage["completion_tokens"] == len(model.encode(text)) + 1
    assert usage["prompt_tokens"] == len(model.encode("<user>Who was it?<end><assistant>"))
    assert usage["total_tokens"] == usage["completion_tokens"] + usage["prompt_tokens"]
    (record,) = records(tmp_path)
    assert (record["decision"], record["policy"], record["times"]) == ("rewound", "tests", times)
    assert "Harry" not in (tmp_path / "audit.jsonl").read_text()


@each_way
def test_with_several_spellings_the_budget_ends_it(
    served: Callable[..., Proxy], tmp_path: Path, path: str, stream: bool
) -> None:
    spellings = [["It", " was", *rest] for rest in ([" H", "arry"], [" Ha", "rry"], [" Harr", "y"])]
    stories = [HARRY, *([*start, " Potter", "."] for start in spellings), NOBODY]
    with served(TokenModel(stories), rewinds=2) as proxy:
        before = metric(proxy, CONTINUED), metric(proxy, ENDED)
        found, _ = asked(proxy, path, body_of(path, stream))
        assert metric(proxy, CONTINUED) - before[0] == 2
        assert metric(proxy, ENDED) - before[1] == 1
    text, reason = found[0]
    assert (text.rstrip(), reason) == ("It was", "content_filter")
    assert sorted(r["decision"] for r in records(tmp_path)) == ["filtered", "rewound"]


def ends_as_before(proxy: Proxy, path: str, stream: bool, **fields: Any) -> None:
    found, _ = asked(proxy, path, body_of(path, stream, **fields))
    assert found == {0: ("It was ", "content_filter")}


@each_way
def test_without_rewinds_nothing_else_is_asked(
    served: Callable[..., Proxy], path: str, stream: bool
) -> None:
    model = TokenModel([HARRY, NOBODY])
    with served(model, rewinds=0) as proxy:
        ends_as_before(proxy, path, stream)
    assert len(model.asked) == 1


@each_way
@pytest.mark.parametrize("lacking", ["/tokenize", "/detokenize"])
def test_an_upstream_without_the_routes_is_asked_once(
    served: Callable[..., Proxy], path: str, stream: bool, lacking: str
) -> None:
    model = TokenModel([HARRY, NOBODY], lacking=frozenset({lacking}))
    with served(model) as proxy:
        first = proxy.post(path, body_of(path, stream)).content
        calls = len(model.asked)
        second = proxy.post(path, body_of(path, stream)).content
        assert len(model.asked) == calls + 1
    assert first == second
    assert b"content_filter" in first and b"wizard" not in first


HINDERING = [
    {"tools": [{"type": "function", "function": {"name": "f"}}]},
    {"response_format": {"type": "json_object"}},
    {"frequency_penalty": 0.5},
    {"presence_penalty": -0.5},
    {"bad_words": ["x"]},
    {"reasoning_effort": "none"},
    {"include_reasoning": False},
    {"documents": [{"text": "d"}]},
    {"stream_options": {"continuous_usage_stats": True}},
    {"stop": [" washed"]},  # the answer so far ends as a stop string begins
    {"max_tokens": 2},
]


@pytest.mark.parametrize("fields", HINDERING, ids=lambda fields: next(iter(fields)))
def test_what_cannot_be_continued_faithfully_ends(
    served: Callable[..., Proxy], fields: dict[str, Any]
) -> None:
    if "max_tokens" in fields:
        with served(TokenModel([["Harry Potter", "."], ["No"]])) as proxy:
            found, _ = asked(proxy, CHAT, body_of(CHAT, False, max_tokens=1))
            assert found == {0: ("No", "length")}
        return
    with served(TokenModel([HARRY, NOBODY])) as proxy:
        ends_as_before(proxy, CHAT, True, **fields)


@pytest.mark.parametrize("channel", ["reasoning", "refusal"])
def test_an_answer_that_said_something_elsewhere_ends(
    served: Callable[..., Proxy], upstream: ScriptedUpstream, channel: str
) -> None:
    role = {"role": "assistant", "content": ""}
    deltas = [role, {channel: "hm"}, {"content": "It was "}, {"content": "Harry Potter."}]
    upstream.reply(Reply.events(sse(*map(chat_chunk, deltas), done=True)))
    with served(TokenModel([HARRY, NOBODY])) as proxy:
        ends_as_before(proxy, CHAT, True)
    assert len(upstream.requests) == 1


FAULTS = [
    ("step", Reply.json({"error": "no"}, status=500)),
    ("step", Reply.json({"error": "no"}, status=400)),
    ("step", Reply.json({"choices": [{"text": " x", "token_ids": []}]})),
    ("step", Reply(fault=Fault.GARBAGE, body=[b"\x00"])),
    ("rest", Reply.json({"error": "no"}, status=500)),
    ("rest", Reply.events([b"data: garbage\n\n"])),
    ("rest", Reply.events([], fault=Fault.RESET_MID_BODY)),
]


@each_way
@pytest.mark.parametrize(("where", "reply"), FAULTS)
def test_a_continuation_that_fails_ends_the_answer(
    served: Callable[..., Proxy],
    tmp_path: Path,
    path: str,
    stream: bool,
    where: str,
    reply: Reply,
) -> None:
    model = TokenModel([HARRY, NOBODY], broken={where: reply})
    with served(model) as proxy:
        found, _ = asked(proxy, path, body_of(path, stream))
    text, reason = found[0]
    assert reason == "content_filter"
    assert text in ("It was ", "It was a")
    assert "filtered" in [record["decision"] for record in records(tmp_path)]


@each_way
def test_several_choices_go_on_one_after_the_other(
    served: Callable[..., Proxy], path: str, stream: bool
) -> None:
    model = TokenModel([HARRY, NOBODY])
    with served(model) as proxy:
        found, usage = asked(proxy, path, body_of(path, stream, n=2))
    assert found == dict.fromkeys(range(2), ("It was a wizard.", "stop"))
    assert usage["completion_tokens"] == 2 * 6


@pytest.mark.parametrize("stream", [False, True])
def test_prompts_go_on_each_from_its_own(served: Callable[..., Proxy], stream: bool) -> None:
    model = TokenModel([HARRY, NOBODY])
    prompts = ["<assistant>It was a", "<assistant>It"]
    with served(model) as proxy:
        found, usage = asked(proxy, COMPLETIONS, body_of(COMPLETIONS, stream, prompt=prompts))
    assert found == {0: (" wizard.", "stop"), 1: (" was a wizard.", "stop")}
    assert usage["completion_tokens"] == 3 + 5
    assert usage["prompt_tokens"] == sum(len(model.encode(prompt)) for prompt in prompts)


def test_what_was_asked_is_carried_over(served: Callable[..., Proxy]) -> None:
    model = TokenModel([HARRY, NOBODY])
    fields = {"temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["###"], "min_tokens": 4}
    with served(model) as proxy:
        asked(proxy, CHAT, body_of(CHAT, True, user="someone", **fields))
    step, rest = [body for path, body in model.asked if path == COMPLETIONS]
    for body in (step, rest):
        assert {name: body[name] for name in ("temperature", "top_p", "stop")} == {
            name: fields[name] for name in ("temperature", "top_p", "stop")
        }
        assert "user" not in body
    assert step["logit_bias"] == {str(model.vocabulary.index(" Harry")): -100.0}
    assert (step["max_tokens"], step["min_tokens"]) == (1, 1)
    assert "logit_bias" not in rest
    assert (rest["max_tokens"], rest["min_tokens"]) == (30 - 3, 4 - 3)
    assert step["seed"] != rest["seed"]
    assert rest["prompt"] == step["prompt"] + [model.vocabulary.index(" a")]


@each_way
def test_a_match_across_the_joint_is_seen(
    tmp_path: Path, upstream: ScriptedUpstream, path: str, stream: bool
) -> None:
    stories = [
        ["He", " is", " Old", " Tom", " now"],
        ["He", " is", " Old", " Nick", " Stone", " now"],
        ["He", " is", " Old", " and", " tired"],
        ["He", " is", " here"],
    ]
    write_policy(tmp_path, names=["Tom", "Old Nick Stone"])
    upstream.handle(TokenModel(stories).handle)
    with Proxy(tmp_path, upstream.url) as proxy:
        found, _ = asked(proxy, path, body_of(path, stream))
    # A stream's " Old" has left when " Tom" came; a whole answer goes back to before it.
    assert found == {0: ("He is Old and tired" if stream else "He is here", "stop")}


def test_a_client_that_hangs_up_stops_the_continuation(
    served: Callable[..., Proxy], upstream: ScriptedUpstream
) -> None:
    model = TokenModel([HARRY, NOBODY], broken={"rest": Reply(fault=Fault.HANG_BEFORE_HEAD)})
    with served(model) as proxy:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(proxy.url + CHAT, json=body_of(CHAT, True), timeout=1.0)
        until(lambda: upstream.requests[-1].disconnected.is_set(), "the continuation is left")
        until(lambda: proxy.worker.state.limits._mine[0] == 0, "the request has left")


@each_way
def test_a_benign_answer_is_untouched(
    served: Callable[..., Proxy], path: str, stream: bool
) -> None:
    model = TokenModel([NOBODY])
    with served(model) as proxy:
        response = proxy.post(path, body_of(path, stream))
    assert len(model.asked) == 1
    request = model.asked[0][1]
    told, read = model._generate(model._ids(request), request), len(model._ids(request))
    direct = model._answer(request, [told], read)
    body = b"".join(p if isinstance(p, bytes) else p.data for p in direct.body)
    assert response.content == body
    assert orjson.dumps(request)
