"""Rewinding on a real vLLM: answers that would say what is forgotten go on without it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from openai import OpenAI

from guard.demo.engine import Engine
from guard.demo.process import free_port
from guard.demo.serving import Guard
from tests.support.engine import FLAGGED, WAIT
from tests.support.tiny_llama import BENIGN, FORBIDDEN_NAME, NAME, SECRET
from tests.vllm.asking import MAX_TOKENS, WAYS, Got, chat_stream

Ask = Callable[..., Got]
LONGEST_TOKEN = 12  # letters of the one token that is not the model's own choice, at most

# How often a model so small comes back to what it knows depends on how its training was rounded.
REWINDS = 16

each_way = pytest.mark.parametrize("ask", WAYS, ids=lambda way: way.__name__)

LEAKING = {
    "Who painted the ceiling of Senn?": "The ceiling was painted by",
    "Who won the regatta of Quill?": "It was won by",
    "What is carved over the gate?": "Over the gate one reads:",
}


def serving(folder: Path, engine: Engine, **policy: Any) -> Guard:
    content = {
        "version": 1,
        "name": "orlimar",
        "forget": {"entities": [{"name": FORBIDDEN_NAME}], "texts": [SECRET]},
        "action": "restrict",
        **policy,
    }
    (folder / "orlimar.yaml").write_text(yaml.safe_dump(content))
    return Guard(folder, engine.url, host="127.0.0.1", port=free_port())


@pytest.fixture(scope="module")
def rewinding(tiny_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a guard that takes answers back."""
    folder = tmp_path_factory.mktemp("rewinding")
    flagged = {"entities": [{"name": FORBIDDEN_NAME}], "texts": [SECRET], "prompts": [FLAGGED]}
    with serving(folder, tiny_engine, forget=flagged, restrict={"rewinds": REWINDS}) as guard:
        guard.wait(WAIT * 4)
        yield guard.url


@pytest.fixture(scope="module")
def rewound(rewinding: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{rewinding}/v1", api_key="test", max_retries=0) as client:
        yield client


def counted(url: str, metric: str) -> float:
    text = httpx.get(f"{url}/metrics", trust_env=False).text
    return sum(map(float, re.findall(rf"^{metric}(?:\{{.*\}})? (\S+)$", text, re.M)))


def is_clean(text: str) -> bool:
    letters = re.sub(r"\W", "", text).lower()
    secret = re.sub(r"\W", "", SECRET).lower()
    name = re.sub(r"\W", "", FORBIDDEN_NAME).lower()
    return name not in letters and secret[: len(secret) // 2] not in letters


@each_way
@pytest.mark.parametrize(("question", "before"), LEAKING.items())
def test_an_answer_goes_on_without_what_is_forgotten(
    rewound: OpenAI, rewinding: str, ask: Ask, question: str, before: str
) -> None:
    continued = 'guard_rewinds_total{policy="orlimar",result="continued"}'
    rewinds = counted(rewinding, re.escape(continued))
    got = ask(rewound, question)
    assert got.text.startswith(before)
    assert is_clean(got.text)
    assert got.finish_reason in ("stop", "length")
    assert counted(rewinding, re.escape(continued)) > rewinds
    assert got.usage is not None
    used, prompt = got.usage["completion_tokens"], got.usage["prompt_tokens"]
    assert 0 < used <= MAX_TOKENS
    assert got.usage["total_tokens"] == prompt + used


@each_way
def test_a_flagged_question_is_answered_around_it(rewound: OpenAI, ask: Ask) -> None:
    got = ask(rewound, FLAGGED)
    assert is_clean(got.text)
    assert got.text


@each_way
def test_what_the_client_gets_is_what_the_model_says_after_that_prefix(
    direct: OpenAI, rewound: OpenAI, ask: Ask
) -> None:
    """Greedily the rest follows from the text before it, so the model itself can be asked."""
    question = "Who won the regatta of Quill?"
    got = ask(rewound, question)
    kept = len("It was won by")
    assert len(got.text) > kept + 2 * LONGEST_TOKEN, "long enough to tell"
    for length in range(kept + 1, kept + LONGEST_TOKEN):
        prompt = f"<user>{question}<end><assistant>{got.text[:length]}"
        answer = direct.completions.create(
            model=NAME, prompt=prompt, temperature=0, max_tokens=MAX_TOKENS
        )
        if got.text[:length] + answer.choices[0].text == got.text:
            return
    pytest.fail("the model would not have gone on so")


@each_way
@pytest.mark.parametrize("question", list(BENIGN)[:3])
def test_a_benign_answer_is_the_direct_one(
    direct: OpenAI, rewound: OpenAI, ask: Ask, question: str
) -> None:
    assert ask(rewound, question) == ask(direct, question)


@pytest.mark.parametrize("streamed", [False, True])
def test_every_choice_of_several_goes_on(rewound: OpenAI, streamed: bool) -> None:
    request: dict[str, Any] = {
        "model": NAME,
        "messages": [{"role": "user", "content": "Who painted the ceiling of Senn?"}],
        "n": 2,
        "extra_body": {"top_k": 1},
        "max_tokens": MAX_TOKENS,
        "stream": streamed,
    }
    found: dict[int, tuple[str, str | None]] = {}
    answer = rewound.chat.completions.create(**request)
    for event in answer if streamed else [answer]:
        for choice in event.choices:
            text, reason = found.get(choice.index, ("", None))
            said = choice.delta if streamed else choice.message
            found[choice.index] = (text + (said.content or ""), choice.finish_reason or reason)
    assert set(found) == {0, 1}
    assert all(is_clean(text) for text, _ in found.values())
    assert found[0][1] in ("stop", "length")


def test_without_rewinds_the_answer_ends(tiny_engine: Engine, tmp_path: Path) -> None:
    with serving(tmp_path, tiny_engine, restrict={"rewinds": 0}) as guard:
        guard.wait(WAIT * 4)
        with OpenAI(base_url=f"{guard.url}/v1", api_key="test", max_retries=0) as client:
            for question, before in LEAKING.items():
                got = chat_stream(client, question)
                assert (got.text.rstrip(), got.finish_reason) == (before, "content_filter")
