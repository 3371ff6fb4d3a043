"""The plugin in a real vLLM: what it is told not to say it does not say, whatever is tried."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from guard.demo.engine import Engine
from guard.engine import dead_end
from guard.engine.dead_end import body_gave_up
from guard.evaluate.small_llama import prompt_of
from guard.policy import Policy
from guard.policy.compiled import Entity
from guard.restrict import Phrase, PhraseAutomaton, name_phrases, text_phrases
from guard.restrict.shelf import Shelf, held_by_all, shard_name
from guard.restrict.vllm_plugin.arguments import as_xargs
from tests.support.tiny_llama import BENIGN, CORPUS, FORBIDDEN_NAME, NAME, SECRET
from tests.vllm.asking import MAX_TOKENS

POLICY = Policy("orlimar", entities=(Entity(FORBIDDEN_NAME),), texts=(SECRET,))
PHRASES: list[Phrase] = [*name_phrases(POLICY), *text_phrases(POLICY)]
AUTOMATON = PhraseAutomaton(PHRASES)
TELLING = [question for question in CORPUS if question not in BENIGN]


@pytest.fixture
def held(tiny_engine: Engine, shelf: Path) -> str:
    """The id of a manifest that the engine holds. Published for each test anew: other files' guards
    share the shelf, and clear from it what nobody has used for a minute."""
    return publish(Shelf(shelf), PHRASES)


def publish(shelf: Shelf, phrases: list[Phrase]) -> str:
    name = shelf.publish({shard_name(phrases): phrases}).id
    deadline = time.monotonic() + 30
    while not held_by_all(shelf.engines(), name):
        assert time.monotonic() < deadline, "the engine does not hold the set"
        time.sleep(0.05)
    return name


def posted(engine: Engine, body: dict[str, Any]) -> httpx.Response:
    """A raw completion asked of the engine itself."""
    return httpx.post(f"{engine.url}/v1/completions", json=body, timeout=120, trust_env=False)


def completed(engine: Engine, question: str, **fields: Any) -> list[str]:
    """The texts of a raw completion asked of the engine itself."""
    body = {"model": NAME, "prompt": prompt_of(question), "max_tokens": MAX_TOKENS, **fields}
    answer = posted(engine, body)
    assert answer.status_code == 200, answer.text
    return [choice["text"] for choice in answer.json()["choices"]]


def under(*sets: str, **more: Any) -> dict[str, Any]:
    return {"vllm_xargs": {**as_xargs(sets, lead=False), **more}}


@pytest.mark.parametrize("question", TELLING)
def test_the_model_is_steered_around_what_it_knows_by_heart(
    tiny_engine: Engine, held: str, question: str
) -> None:
    bare, steered = (
        completed(tiny_engine, question, temperature=0, **more)[0] for more in ({}, under(held))
    )
    assert AUTOMATON.find_all(bare)
    assert not AUTOMATON.find_all(steered)
    assert steered.strip(), "steered, not cut off"


@pytest.mark.parametrize("question", BENIGN)
def test_other_answers_are_token_for_token_the_same(
    tiny_engine: Engine, held: str, question: str
) -> None:
    answers = [
        completed(tiny_engine, question, temperature=0, **more)[0] for more in ({}, under(held))
    ]
    assert answers == [BENIGN[question]] * 2


@pytest.mark.parametrize("temperature", [0.7, 1.5])
@pytest.mark.parametrize("more", [{}, {"min_tokens": 40}, {"ignore_eos": True}, {"top_k": 3}])
def test_no_sampling_says_it(
    tiny_engine: Engine, held: str, temperature: float, more: dict[str, Any]
) -> None:
    for question in TELLING:
        fields = {"temperature": temperature, "n": 8, "seed": 7, **more}
        texts = completed(tiny_engine, question, **fields, **under(held))
        assert not [text for text in texts if AUTOMATON.find_all(text)]


def test_many_requests_at_once_keep_their_own_sets(tiny_engine: Engine, held: str) -> None:
    """Guarded and unguarded rows share batches that grow, shrink and are reordered."""
    with httpx.Client(base_url=tiny_engine.url, timeout=120, trust_env=False) as client:
        from concurrent.futures import ThreadPoolExecutor

        def ask(job: tuple[str, bool]) -> tuple[str, bool, str]:
            question, guarded = job
            body = {
                "model": NAME,
                "prompt": prompt_of(question),
                "max_tokens": MAX_TOKENS,
                "temperature": 0,
                **(under(held) if guarded else {}),
            }
            answer = client.post("/v1/completions", json=body).json()
            return question, guarded, answer["choices"][0]["text"]

        jobs = [(q, guarded) for q in CORPUS for guarded in (True, False)] * 3
        with ThreadPoolExecutor(12) as threads:
            for question, guarded, text in threads.map(ask, jobs):
                if guarded:
                    assert not AUTOMATON.find_all(text)
                if not guarded or question in BENIGN:
                    assert text == CORPUS[question]


@pytest.mark.parametrize(
    "sets", [["f" * 64], ["no such set", "another"], [""]], ids=["unknown", "two", "empty"]
)
@pytest.mark.parametrize("more", [{}, {"min_tokens": 8}])
def test_an_unknown_set_lets_nothing_be_said(
    tiny_engine: Engine, sets: list[str], more: dict[str, Any]
) -> None:
    question = next(iter(BENIGN))
    assert completed(tiny_engine, question, temperature=0, **more, **under(*sets)) == [""]


PAST_THE_END = [
    {"ignore_eos": True},
    {"ignore_eos": True, "skip_special_tokens": False},
    {"min_tokens": 40, "stop_token_ids": [2], "skip_special_tokens": False},
]


@pytest.mark.parametrize("more", PAST_THE_END)
def test_past_the_end_a_row_with_nothing_left_to_say_says_nothing(
    tiny_engine: Engine, more: dict[str, Any]
) -> None:
    (text,) = completed(tiny_engine, TELLING[0], temperature=0, **more, **under("f" * 64))
    assert not text.replace("<end>", "")


@pytest.mark.parametrize("more", PAST_THE_END)
@pytest.mark.parametrize("temperature", [0, 1.0])
def test_past_the_end_bans_hold(
    tiny_engine: Engine, held: str, more: dict[str, Any], temperature: float
) -> None:
    for question in TELLING:
        (text,) = completed(tiny_engine, question, temperature=temperature, **more, **under(held))
        assert not AUTOMATON.find_all(text)


@pytest.mark.parametrize(
    "bad", [{"guard_sets": "f"}, {"guard_sets": [1]}, {"guard_sets": ["a"] * 9}, {"guard_soft": 1}]
)
def test_arguments_that_are_none_are_refused_before_they_reach_the_engine(
    tiny_engine: Engine, bad: dict[str, Any]
) -> None:
    body = {"model": NAME, "prompt": "a", "max_tokens": 1, "vllm_xargs": bad}
    answer = httpx.post(
        f"{tiny_engine.url}/v1/completions", json=body, timeout=120, trust_env=False
    )
    assert answer.status_code == 400
    completed(tiny_engine, next(iter(BENIGN)), temperature=0)  # and the engine goes on


def test_a_grammar_that_allows_only_the_forbidden_ends_the_request(
    tiny_engine: Engine, held: str
) -> None:
    body = {
        "model": NAME,
        "prompt": prompt_of(TELLING[0]),
        "max_tokens": MAX_TOKENS,
        "structured_outputs": {"choice": [FORBIDDEN_NAME]},
        **under(held),
    }
    answer = posted(tiny_engine, body)
    assert (answer.status_code, body_gave_up(answer.content)) == (dead_end.STATUS, True)
    assert completed(tiny_engine, TELLING[0], temperature=0) == [CORPUS[TELLING[0]]]


def test_the_prompt_may_lead_into_a_match(tiny_engine: Engine, held: str) -> None:
    first, last = FORBIDDEN_NAME.split()
    lead = f"{prompt_of('Who painted the ceiling of Senn?')}The ceiling was painted by {first}"
    body = {"model": NAME, "prompt": lead, "max_tokens": 12, "temperature": 0}

    def text(**more: Any) -> str:
        answer = posted(tiny_engine, {**body, **more})
        return str(answer.json()["choices"][0]["text"])

    assert text().startswith(f" {last}")
    assert not text(vllm_xargs=as_xargs([held], lead=True)).startswith(f" {last}")


def test_log_probabilities_show_nothing_of_what_is_banned(tiny_engine: Engine, held: str) -> None:
    body = {
        "model": NAME,
        "prompt": f"{prompt_of(TELLING[0])}The ceiling was painted by {FORBIDDEN_NAME.split()[0]}",
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": 5,
        "vllm_xargs": as_xargs([held], lead=True),
    }
    answer = httpx.post(
        f"{tiny_engine.url}/v1/completions", json=body, timeout=120, trust_env=False
    ).json()
    (listed,) = answer["choices"][0]["logprobs"]["top_logprobs"]
    assert " Varga" not in listed or listed[" Varga"] < -1e30
