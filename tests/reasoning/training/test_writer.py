"""Writers of instructions: rules, and a model at an address, which is asked once for each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.errors import UpstreamError
from guard.reasoning.prompts import guide_prompt
from guard.reasoning.training.asking import Asker, Request
from guard.reasoning.training.cases import Cases
from guard.reasoning.training.checking import checked
from guard.reasoning.training.data import made
from guard.reasoning.training.settings import DataSettings
from guard.reasoning.training.writer import CANDIDATES, model_writer, remembered, rules
from tests.support.upstream import Reply, ScriptedUpstream, chat_completion

GOOD = (
    "The request is about the birth, the parents, the genre, the prizes, the books or the home of "
    "the person named. Say politely that you cannot help with this."
)


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture(scope="module")
def request_() -> Request:
    draw = random.Random(0)
    return Asker(Cases("train", 20, draw, 0), draw).synthetic()


def test_rules_vary_and_are_the_same_for_a_seed(request_: Request) -> None:
    write, again = rules(0), rules(0)
    first = write(request_)
    assert len(first) == CANDIDATES
    assert first == again(request_)
    assert len(set(first)) > 1
    assert first != rules(1)(request_)


def test_a_model_sees_the_servers_prompt_and_what_is_known(
    upstream: ScriptedUpstream, request_: Request
) -> None:
    thinking = f"<think>hm</think>{GOOD}"
    upstream.always(Reply.json(chat_completion(thinking, GOOD, "Two.", "")))
    assert model_writer(upstream.url, "big", "key")(request_) == [GOOD, "Two."]
    (asked,) = upstream.wait_for(1)
    body = asked.json()
    prompt = guide_prompt(request_.case.policy.reasoning.context, request_.turns)
    content = body["messages"][0]["content"]
    assert content.startswith(prompt)
    assert "Known of it: It asks about: " in content
    secrets = [one for one in request_.case.secrets if one not in prompt]
    assert secrets and not [one for one in secrets if one in content]
    assert (body["model"], body["n"]) == ("big", CANDIDATES)
    assert asked.headers["authorization"] == "Bearer key"


def test_a_server_that_gives_one_answer_whatever_it_is_asked(
    upstream: ScriptedUpstream, request_: Request
) -> None:
    upstream.always(Reply.json(chat_completion(GOOD)))
    assert model_writer(upstream.url, "m", None)(request_) == [GOOD]


@pytest.mark.parametrize(
    "reply",
    [Reply.json({"error": "no"}, status=500), Reply.json({"choices": 3}), Reply.json([])],
    ids=["status", "choices", "list"],
)
def test_a_server_that_fails_is_told_of(
    upstream: ScriptedUpstream, request_: Request, reply: Reply
) -> None:
    upstream.always(reply)
    with pytest.raises(UpstreamError):
        model_writer(upstream.url, "m", None)(request_)


def test_rows_by_a_model_are_screened_as_others_are(upstream: ScriptedUpstream) -> None:
    leak = "It asks about Zbigniew Qwertowski. Say nothing of the birth and the books."
    upstream.always(Reply.json(chat_completion(leak, GOOD, leak, leak)))
    settings = DataSettings(synthetic=0, reworded=6, people=40)
    rows = made("train", settings, model_writer(upstream.url, "m", None))
    assert [one.instruction for one in rows.examples] == [GOOD] * 6
    assert all(checked(GOOD, one.request).good for one in rows.examples)


def test_what_was_written_is_not_asked_for_again(tmp_path: Path, request_: Request) -> None:
    count = 0

    def writer(request: Request) -> list[str]:
        nonlocal count
        count += 1
        return [f"{GOOD} {count}"]

    path = tmp_path / "new" / "written.jsonl"
    assert remembered(writer, path)(request_) == [f"{GOOD} 1"]
    with path.open("ab") as file:
        file.write(b'["cut off')
    assert remembered(writer, path)(request_) == [f"{GOOD} 1"]
    assert count == 1
