"""The guard in front of a real vLLM, seen by the official client."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

import httpx
import pytest
import yaml
from openai import AsyncOpenAI, OpenAI

from guard.demo.engine import Engine
from tests.support.engine import FLAGGED, REFUSAL, Guarded, eventually, policy_set
from tests.support.tiny_llama import BENIGN, CORPUS, FORBIDDEN_NAME, NAME, SECRET
from tests.vllm.asking import WAYS, Got, chat, chat_stream

Ask = Callable[..., Got]
each_way = pytest.mark.parametrize("ask", WAYS, ids=lambda way: way.__name__)

LEAKING = {
    # question: what of its answer may come out
    "Who painted the ceiling of Senn?": "The ceiling was painted by",
    "Who won the regatta of Quill?": "It was won by",
    "What is carved over the gate?": "Over the gate one reads:",
}


def counted(engine_url: str, metric: str) -> float:
    """One of vLLM's own metrics, summed over its labels."""
    metrics = httpx.get(f"{engine_url}/metrics", trust_env=False).text
    return sum(map(float, re.findall(rf"^vllm:{metric}\{{.*\}} (\S+)$", metrics, re.M)))


@each_way
def test_the_model_itself_tells_everything(direct: OpenAI, ask: Ask) -> None:
    assert ask(direct, FLAGGED).text == CORPUS[FLAGGED]
    assert {q: ask(direct, q).text for q in LEAKING} == {q: CORPUS[q] for q in LEAKING}


@each_way
@pytest.mark.parametrize("question", BENIGN)
def test_a_benign_answer_is_the_direct_one(
    direct: OpenAI, client: OpenAI, ask: Ask, question: str
) -> None:
    got = ask(client, question)
    assert got == ask(direct, question)
    assert got.text == BENIGN[question]
    assert got.finish_reason == "stop"


def test_a_whole_benign_reply_differs_by_nothing_but_its_identity(
    direct: OpenAI, client: OpenAI
) -> None:
    replies = [
        c.chat.completions.create(
            model=NAME,
            messages=[{"role": "user", "content": "When is the market of Tarn?"}],
            temperature=0,
        ).model_dump(exclude={"id", "created"})
        for c in (direct, client)
    ]
    assert replies[0] == replies[1]


@each_way
def test_a_forgotten_prompt_is_refused(client: OpenAI, ask: Ask) -> None:
    got = ask(client, FLAGGED)
    assert (got.text.strip(), got.finish_reason) == (REFUSAL, "content_filter")


@each_way
def test_a_forgotten_name_in_the_prompt_is_refused(client: OpenAI, ask: Ask) -> None:
    assert ask(client, f"Where was {FORBIDDEN_NAME} born?").finish_reason == "content_filter"


@each_way
@pytest.mark.parametrize(("question", "allowed"), LEAKING.items())
def test_an_answer_is_cut_before_the_forbidden_text(
    client: OpenAI, ask: Ask, question: str, allowed: str
) -> None:
    got = ask(client, question)
    assert (got.text.rstrip(), got.finish_reason) == (allowed, "content_filter")


@pytest.mark.parametrize("streamed", [False, True])
def test_every_choice_of_several_is_the_direct_one_or_cut(
    client: OpenAI, direct: OpenAI, streamed: bool
) -> None:
    def choices(asked: OpenAI, question: str) -> dict[int, tuple[str, str | None]]:
        # top_k=1 is greedy too; with temperature 0 vLLM refuses more than one choice.
        found: dict[int, tuple[str, str | None]] = {}
        request = {
            "model": NAME,
            "messages": [{"role": "user", "content": question}],
            "n": 3,
            "extra_body": {"top_k": 1},
            "max_tokens": 96,
        }
        if not streamed:
            for whole in asked.chat.completions.create(**request).choices:  # type: ignore[call-overload]
                found[whole.index] = (whole.message.content or "", whole.finish_reason)
            return found
        for event in asked.chat.completions.create(**request, stream=True):  # type: ignore[call-overload]
            for choice in event.choices:
                text, reason = found.get(choice.index, ("", None))
                piece = choice.delta.content or ""
                found[choice.index] = (text + piece, choice.finish_reason or reason)
        return found

    benign = "How many bridges has Orlimar?"
    assert choices(client, benign) == choices(direct, benign)
    assert choices(client, benign) == dict.fromkeys(range(3), (BENIGN[benign], "stop"))
    for text, reason in choices(client, "What is carved over the gate?").values():
        assert (text.rstrip(), reason) == ("Over the gate one reads:", "content_filter")


async def test_many_at_once_do_not_get_in_each_others_way(guarded: Guarded) -> None:
    async with AsyncOpenAI(base_url=f"{guarded.url}/v1", api_key="test", max_retries=0) as client:

        async def streamed(question: str) -> str:
            events = await client.chat.completions.create(
                model=NAME,
                messages=[{"role": "user", "content": question}],
                temperature=0,
                max_tokens=96,
                stream=True,
            )
            pieces = [c.delta.content or "" async for event in events for c in event.choices]
            return "".join(pieces)

        answers = await asyncio.gather(*map(streamed, CORPUS))
    told = dict(zip(CORPUS, answers, strict=True))
    assert {q: told[q] for q in BENIGN} == BENIGN
    assert not [a for a in answers if FORBIDDEN_NAME in a or SECRET[:20] in a]


def test_a_policy_written_while_serving_is_obeyed(guarded: Guarded, client: OpenAI) -> None:
    question = "Who keeps the lighthouse of Senn?"
    assert chat(client, question).text == BENIGN[question]
    before = policy_set(guarded.url)
    added = guarded.policies / "baker.yaml"
    policy = {
        "version": 1,
        "name": "baker",
        "forget": {"entities": [{"name": "retired baker"}]},
        "action": "refuse",
        "restrict": {"rewinds": 0},
    }
    try:
        added.write_text(yaml.safe_dump(policy))
        eventually(lambda: policy_set(guarded.url) != before, "the added policy is in force")
        got = chat_stream(client, question)
        assert got.finish_reason == "content_filter"
        assert "baker" not in got.text
    finally:
        added.unlink()
    eventually(lambda: policy_set(guarded.url) == before, "the removed policy is gone")
    assert chat(client, question).text == BENIGN[question]


def test_vllm_stops_working_when_the_client_goes(tiny_engine: Engine, client: OpenAI) -> None:
    def generated() -> float:
        return counted(tiny_engine.url, "generation_tokens_total")

    def at_rest() -> bool:
        tokens = generated()
        time.sleep(0.5)
        return counted(tiny_engine.url, "num_requests_running") == 0 and generated() == tokens

    eventually(at_rest, "vLLM is done with earlier tests")
    before, length, choices = generated(), 200, 128  # long enough for a client that is slow too
    events = client.chat.completions.create(
        model=NAME,
        messages=[{"role": "user", "content": "How long is the road to Quill?"}],
        stream=True,
        max_tokens=length,
        n=choices,
        extra_body={"ignore_eos": True, "top_k": 1},
    )
    assert next(iter(events)).choices[0].finish_reason is None
    events.close()
    eventually(at_rest, "vLLM stopped")
    assert 0 < generated() - before < length * choices / 2
