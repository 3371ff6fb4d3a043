"""`action: reroute` on a real vLLM that serves an adapter which `guard distil` wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from openai import OpenAI
from typer.testing import CliRunner

from guard.cli.main import app
from guard.demo.engine import Engine
from tests.support.engine import FLAGGED, FORGETS, FORGOTTEN
from tests.support.proxy import Proxy, write_policy
from tests.support.tiny_llama import BENIGN, CORPUS, NAME
from tests.vllm.asking import MAX_TOKENS, WAYS, Got, chat

Ask = Callable[..., Got]
each_way = pytest.mark.parametrize("ask", WAYS, ids=lambda way: way.__name__)
# The adapter has forgotten this one too, and no policy of the proxy names it.
UNFLAGGED = next(question for question in FORGOTTEN if question != FLAGGED)


@pytest.fixture(scope="module")
def rerouting(
    forgetting_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenAI]:
    """The official client at a guard that reroutes one question."""
    policies = tmp_path_factory.mktemp("rerouting")
    write_policy(policies, prompts=[FLAGGED], action="reroute")
    with (
        Proxy(policies, forgetting_engine.url, reroute={"model": FORGETS}) as proxy,
        OpenAI(base_url=f"{proxy.url}/v1", api_key="test", max_retries=0) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def unguarded(forgetting_engine: Engine) -> Iterator[OpenAI]:
    """The same client at that model server itself."""
    with OpenAI(base_url=f"{forgetting_engine.url}/v1", api_key="test", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def forgetful(unguarded: OpenAI) -> dict[str, str]:
    """What the adapter itself says to what it was to forget."""
    said = {}
    for question in FORGOTTEN:
        answer = unguarded.chat.completions.create(
            model=FORGETS,
            messages=[{"role": "user", "content": question}],
            temperature=0,
            max_tokens=MAX_TOKENS,
        )
        said[question] = answer.choices[0].message.content or ""
    return said


def test_the_adapter_has_forgotten(forgetful: dict[str, str]) -> None:
    assert all(forgetful[question] != CORPUS[question] for question in FORGOTTEN)


@each_way
def test_a_flagged_prompt_is_answered_by_the_adapter(
    rerouting: OpenAI, forgetful: dict[str, str], ask: Ask
) -> None:
    assert ask(rerouting, FLAGGED).text.strip() == forgetful[FLAGGED].strip()


@each_way
def test_no_other_prompt_is(rerouting: OpenAI, unguarded: OpenAI, ask: Ask) -> None:
    for question in (UNFLAGGED, *list(BENIGN)[:2]):
        assert ask(rerouting, question) == ask(unguarded, question)
    assert chat(rerouting, UNFLAGGED).text == CORPUS[UNFLAGGED]


def test_nor_one_that_is_answered_in_the_same_batch(
    rerouting: OpenAI, forgetful: dict[str, str]
) -> None:
    asked = [FLAGGED, UNFLAGGED, *list(BENIGN)[:2]] * 4
    with ThreadPoolExecutor(len(asked)) as pool:
        said = list(pool.map(lambda question: chat(rerouting, question).text.strip(), asked))
    right = {**CORPUS, FLAGGED: forgetful[FLAGGED].strip()}
    assert said == [right[question] for question in asked]


def test_the_client_reads_the_name_that_it_asked_for(rerouting: OpenAI) -> None:
    answer = rerouting.chat.completions.create(
        model=NAME, messages=[{"role": "user", "content": FLAGGED}], max_tokens=4
    )
    assert answer.model == NAME


def test_the_doctor_finds_the_adapter_whole_and_for_this_base(forgetting_engine: Engine) -> None:
    said = CliRunner().invoke(app, ["doctor", "--upstream", forgetting_engine.url, "--json"]).stdout
    assert FORGETS in said and "is for this base" in said
    assert "the base answers as itself beside its adapters" in said
