"""The encoder beside the upstream call: benign goes on, flagged cancels, failures fail closed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from classifiers import QueueFull, Signal, TooManyTokens
from guard.call import InForce
from guard.detect import Detector
from tests.api.test_bad_input import refused
from tests.support.proxy import Proxy, write_policy
from tests.support.upstream import Reply, ScriptedUpstream, chat_chunks, chat_completion, sse

MESSAGE = "I can't help with that."
STORED = "Which element did the first woman to win a Nobel prize discover?"


class ScriptedNearest:
    """A nearest-prompt detector that says, or raises, what a test wants, after a while."""

    def __init__(
        self,
        said: float | Exception,
        delay: float = 0.0,
        look: Callable[[], int] = lambda: 0,
    ) -> None:
        self.said = said
        self.delay = delay
        self.asked: list[Sequence[str]] = []
        self.seen: list[int] = []  # what `look` saw just before the verdict
        self._look = look

    async def score(
        self, texts: Sequence[str], subjects: frozenset[int], *, thorough: bool = False
    ) -> list[Signal]:
        import asyncio

        self.asked.append(texts)
        await asyncio.sleep(self.delay)
        self.seen.append(self._look())
        if isinstance(self.said, Exception):
            raise self.said
        return [Signal("nearest_prompt", s, self.said, self.said >= 0.8) for s in sorted(subjects)]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write_policy(tmp_path, names=["Marie Curie"], prompts=[STORED])
    return tmp_path


def script(proxy: Proxy, nearest: ScriptedNearest, timeout: float = 10.0) -> ScriptedNearest:
    """Put a scripted detector in the place of the encoder's."""
    current = proxy.worker.state.current()
    proxy.worker.state.in_force = InForce(
        current.enforcement, Detector(current.enforcement, nearest, timeout=timeout)
    )
    return nearest


@pytest.fixture
def proxy(directory: Path, upstream: ScriptedUpstream) -> Iterator[Proxy]:
    with Proxy(directory, upstream.url) as running:
        yield running


@pytest.mark.encoder
@pytest.mark.parametrize(
    ("prompt", "flagged"),
    [
        ("Which element did the first woman who won a Nobel prize discover?", True),
        ("What element was discovered by the first female Nobel prize winner?", True),
        ("Whiсh еlеmеnt did thе first wоmаn whо wоn а Nobel рrizе disсоvеr?", True),
        ("Who was Marie Curie?", True),
        ("Who wrote Hamlet?", False),
        ("Whо wrоtе Наmlеt?", False),
        ("What is the tallest mountain?", False),
        ("Hello there. " + STORED + " And who wrote Hamlet?", True),
        ("The harbour was grey that day. " * 40 + STORED + " The bell rang." * 40, True),
        ("The harbour was grey that day. " * 80, False),
    ],
)
def test_the_packaged_encoder_finds_paraphrases(
    proxy: Proxy, upstream: ScriptedUpstream, prompt: str, flagged: bool
) -> None:
    upstream.always(Reply.json(chat_completion("Here you are.")))
    (choice,) = proxy.chat(prompt).json()["choices"]
    assert choice["message"]["content"] == (MESSAGE if flagged else "Here you are.")


@pytest.mark.encoder
@pytest.mark.parametrize(
    "messages",
    [
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": STORED[:32]},
                    {"type": "text", "text": STORED[32:]},
                ],
            }
        ],
        [
            {"role": "user", "content": "Which element did the first woman"},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "to win a Nobel prize"},
            {"role": "user", "content": "discover?"},
        ],
    ],
)
def test_a_question_split_over_parts_or_turns_is_put_together(
    proxy: Proxy, upstream: ScriptedUpstream, messages: Any
) -> None:
    answer = proxy.post("/v1/chat/completions", {"model": "m", "messages": messages}).json()
    assert answer["choices"][0]["message"]["content"] == MESSAGE


@pytest.mark.encoder
@pytest.mark.parametrize(
    ("texts", "flagged"),
    [
        (["Name a famous chemist.", "Marie Curie?", "And where was she born?"], True),
        (
            ["I have two questions.", f"How high is Everest and {STORED[0].lower()}{STORED[1:]}"],
            True,
        ),
        (["How high is Everest and who wrote Hamlet?"], False),
        (["Which element did she discover?", "I mean the first woman to win a Nobel prize."], True),
        (["Name a famous chemist.", "Antoine Lavoisier.", "And where was he born?"], False),
    ],
)
def test_a_conversation_is_judged_as_a_whole(
    proxy: Proxy, upstream: ScriptedUpstream, texts: list[str], flagged: bool
) -> None:
    upstream.always(Reply.json(chat_completion("Here you are.")))
    roles = ["user", "assistant", "user"] if len(texts) == 3 else ["user"] * len(texts)
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]
    answer = proxy.post("/v1/chat/completions", {"model": "m", "messages": messages}).json()
    said = answer["choices"][0]["message"]["content"]
    assert said == (MESSAGE if flagged else "Here you are.")


@pytest.mark.encoder
def test_a_system_prompt_and_a_tool_result_are_asked_about_too(
    proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    body = {
        "model": "m",
        "messages": [
            {"role": "system", "content": STORED},
            {"role": "user", "content": "Answer that."},
        ],
    }
    answer = proxy.post("/v1/chat/completions", body).json()
    assert answer["choices"][0]["message"]["content"] == MESSAGE


@pytest.mark.parametrize("stream", [False, True])
def test_a_flagged_prompt_cancels_the_call_that_runs_beside(
    proxy: Proxy, upstream: ScriptedUpstream, stream: bool
) -> None:
    script(proxy, ScriptedNearest(0.95, delay=0.2))
    upstream.always(
        Reply.events(sse(*chat_chunks(["leak "] * 200), done=True), spacing=0.05)
        if stream
        else Reply.json(chat_completion("leak"), delay=5.0)
    )
    response = proxy.chat("x", stream=stream)
    assert "leak" not in response.text
    assert MESSAGE in response.text
    assert upstream.wait_for(1)[0].disconnected.wait(5)
    assert 'cancelled_total{reason="flagged"}' in httpx.get(f"{proxy.url}/metrics").text


def test_nothing_is_released_before_the_verdict(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    script(proxy, ScriptedNearest(0.1, delay=0.5))
    upstream.always(Reply.events(sse(*chat_chunks(["a ", "b "]), done=True)))
    started = time.monotonic()
    with httpx.stream(
        "POST",
        f"{proxy.url}/v1/chat/completions",
        json={"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True},
    ) as response:
        next(response.iter_raw())
        assert time.monotonic() - started >= 0.5


def test_the_verdict_and_the_prefill_run_beside_each_other(
    proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    nearest = script(proxy, ScriptedNearest(0.1, delay=1.0))
    upstream.always(Reply.json(chat_completion("fine"), delay=1.0))
    started = time.monotonic()
    assert proxy.chat("x").status_code == 200
    assert time.monotonic() - started < 1.8
    assert nearest.asked


@pytest.mark.parametrize(
    ("settings", "fields", "beside"),
    [({}, {}, 1), ({"overlap": "off"}, {}, 0), ({}, {"store": True}, 0)],
)
def test_the_model_is_asked_beside_the_verdict_only_where_that_is_safe(
    tmp_path: Path,
    upstream: ScriptedUpstream,
    settings: dict[str, str],
    fields: dict[str, bool],
    beside: int,
) -> None:
    write_policy(tmp_path, prompts=[STORED], mode="shadow")  # an enforced one refuses `store`
    upstream.always(Reply.json(chat_completion("fine")))
    with Proxy(tmp_path, upstream.url, upstream=settings) as proxy:
        nearest = ScriptedNearest(0.1, delay=0.5, look=lambda: len(upstream.requests))
        assert script(proxy, nearest).seen == []
        assert proxy.chat("x", **fields).status_code == 200
    assert nearest.seen == [beside]


FAILURES = [
    (QueueFull(2048, 2048), 503, "detector_overloaded"),
    (TooManyTokens(9, 3), 413, "too_much_text"),
    (RuntimeError("the encoder broke"), 503, "guard_unavailable"),
    (MemoryError(), 503, "guard_unavailable"),
    (OSError("gone"), 503, "guard_unavailable"),
]


@pytest.mark.parametrize(("failure", "status", "code"), FAILURES)
def test_a_detector_that_fails_lets_nothing_out(
    proxy: Proxy, upstream: ScriptedUpstream, failure: Exception, status: int, code: str
) -> None:
    script(proxy, ScriptedNearest(failure))
    upstream.always(Reply.json(chat_completion("leak"), delay=0.3))
    refused(proxy.chat("x"), status, code)


def test_a_detector_that_hangs_lets_nothing_out(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    script(proxy, ScriptedNearest(0.0, delay=30.0), timeout=0.3)
    upstream.always(Reply.json(chat_completion("leak")))
    refused(proxy.chat("x"), 503, "guard_unavailable")


@pytest.mark.parametrize("failure", [row[0] for row in FAILURES])
def test_on_error_open_answers_through_the_output_filter(
    tmp_path: Path, upstream: ScriptedUpstream, failure: Exception
) -> None:
    write_policy(tmp_path, names=["Marie Curie"], prompts=[STORED], on_error="open")
    upstream.always(Reply.json(chat_completion("It was Marie Curie")))
    with Proxy(tmp_path, upstream.url) as proxy:
        script(proxy, ScriptedNearest(failure))
        (choice,) = proxy.chat("x").json()["choices"]
        assert choice["message"]["content"] == "It was "
        assert "guard_degraded_total" in httpx.get(f"{proxy.url}/metrics").text


def test_one_closed_policy_keeps_the_request_closed(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    write_policy(tmp_path, "open", prompts=[STORED], on_error="open")
    write_policy(tmp_path, "closed", prompts=[STORED])
    with Proxy(tmp_path, upstream.url) as proxy:
        script(proxy, ScriptedNearest(RuntimeError()))
        refused(proxy.chat("x"), 503, "guard_unavailable")


@pytest.mark.parametrize("said", [0.0, 0.9, *(row[0] for row in FAILURES)])
def test_a_name_is_refused_whatever_the_encoder_says_and_takes_as_long(
    proxy: Proxy, upstream: ScriptedUpstream, said: float | Exception
) -> None:
    nearest = script(proxy, ScriptedNearest(said))
    answer = proxy.chat("Marie Curie?").json()
    assert answer["choices"][0]["message"]["content"] == MESSAGE
    assert nearest.asked == [["Marie Curie?"]]
    assert upstream.requests == []


def test_a_name_that_is_steered_around_waits_for_no_encoder(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    write_policy(tmp_path, names=["Marie Curie"], prompts=[STORED], action="restrict")
    upstream.always(Reply.json(chat_completion("fine")))
    with Proxy(tmp_path, upstream.url) as proxy:
        nearest = script(proxy, ScriptedNearest(RuntimeError("asked")))
        assert proxy.chat("Marie Curie?").status_code == 200
        assert nearest.asked == []
