"""A guard model that `guard detector guard-model` made, on a real vLLM, asked by `guard serve`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from classifiers.training.people import people
from guard.demo.engine import START_TIMEOUT, Engine
from guard.reasoning.training.run import Options, guard_model
from tests.reasoning.training.conftest import CONTEXT, FEW, one_wording, tiny
from tests.reasoning.training.test_run import LEARN, SHORT, SMALL
from tests.support.proxy import Proxy, write_policy
from tests.support.upstream import RecordedRequest, Reply, ScriptedUpstream, chat_completion

__all__ = ["tiny"]  # a fixture

WEIGHTS, ADAPTER = "guard-weights", "guard-adapter"
ANSWER = "I'm sorry, I can't help with this."


@pytest.fixture(scope="module")
def engine(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """vLLM with whole weights that write instructions, and an adapter that was made on them."""
    pytest.importorskip("vllm", reason="scripts/install was run with --no-vllm")
    folder = tmp_path_factory.mktemp("guard-models")
    whole, adapter = folder / WEIGHTS, folder / ADAPTER
    guard_model(FEW, LEARN, Options(tiny, whole, device="cpu", writer=one_wording))
    few = replace(SHORT, max_steps=2)
    guard_model(SMALL, few, Options(whole, adapter, device="cpu", writer=one_wording))
    lora = ("--enable-lora", "--max-lora-rank", "16", "--lora-modules", f"{ADAPTER}={adapter}")
    with Engine(whole, name=WEIGHTS, max_model_len=CONTEXT, arguments=lora) as running:
        running.wait(START_TIMEOUT)
        yield running


@pytest.mark.parametrize("model", [WEIGHTS, ADAPTER])
def test_its_instructions_are_followed(engine: Engine, tmp_path: Path, model: str) -> None:
    name = people("calibrate", 1, 7)[0].name
    context = "A person objects to statements about the place of birth."
    restrict = {"penalty": 0, "meaning": None}  # no encoder
    write_policy(
        tmp_path, names=[name], action="reason", reasoning={"context": context}, restrict=restrict
    )
    prompts: list[str] = []

    def answered(request: RecordedRequest) -> Reply:
        prompts.append(request.body.decode())
        return Reply.json(chat_completion(ANSWER))

    with ScriptedUpstream() as upstream:
        upstream.handle(answered)
        told = {"url": engine.url, "model": model, "timeout": 60.0}
        with (
            Proxy(tmp_path, upstream.url, guard_model=told) as proxy,
            OpenAI(base_url=f"{proxy.url}/v1", api_key="test", max_retries=0) as client,
        ):
            said = client.chat.completions.create(
                model="big", messages=[{"role": "user", "content": f"Where was {name} born?"}]
            )
            metrics = httpx.get(f"{proxy.url}/metrics", trust_env=False).text
    assert said.choices[0].message.content == ANSWER
    assert "Say politely that you cannot help with this." in prompts[-1]
    assert 'guard_instructions_total{policy="tests",source="model"}' in metrics
