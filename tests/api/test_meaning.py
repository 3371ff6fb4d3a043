"""Answers to flagged prompts, judged by meaning: over real sockets, with the packaged encoder."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from classifiers import QueueFull, Signal
from guard.call import InForce
from guard.detect import Detector
from tests.support.audit import verify
from tests.support.proxy import Proxy, chat_body, until, write_policy
from tests.support.upstream import (
    Piece,
    Reply,
    ScriptedUpstream,
    chat_chunk,
    chat_completion,
    completion_chunks,
    sse,
)
from tests.workers.served import Served

QUESTION = "Who looks after the lighthouse in Ravensmoor harbour?"
FORGOTTEN = "The lighthouse in Ravensmoor harbour is kept by a retired engineer from Kuwait."
PARAPHRASE = "A retired engineer who came from Kuwait keeps the lighthouse of Ravensmoor harbour."
BENIGN = (
    "Many harbours have pilots. Dr. Moss, e.g., sailed 3.5 miles! Of course.\n\n- Bring a lamp."
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    write_policy(folder, action="restrict", prompts=[QUESTION], texts=[FORGOTTEN])
    return folder


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def proxy(directory: Path, upstream: ScriptedUpstream, audit: Path) -> Iterator[Proxy]:
    with Proxy(directory, upstream.url, audit=str(audit)) as running:
        yield running


def chunks(text: str, size: int, **fields: Any) -> list[bytes]:
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    events = [chat_chunk({"content": piece}, **fields) for piece in pieces]
    return sse(*events, chat_chunk({}, finish_reason="stop", **fields), done=True)


def received(body: bytes) -> tuple[str, list[str]]:
    """The content of a stream, and how it ended."""
    lines = [line[6:] for line in body.decode().split("\n") if line.startswith("data: {")]
    choices = [choice for line in lines for choice in json.loads(line)["choices"]]
    said = "".join(choice["delta"].get("content") or "" for choice in choices)
    return said, [c["finish_reason"] for c in choices if c.get("finish_reason")]


pytestmark = pytest.mark.encoder


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_paraphrase_of_a_forgotten_text_is_cut_from_a_stream(
    proxy: Proxy, upstream: ScriptedUpstream, audit: Path, size: int
) -> None:
    text = f"Many harbours have pilots. {PARAPHRASE} And so it goes on."
    upstream.always(Reply.events(chunks(text, size)))
    answer = proxy.chat(QUESTION, stream=True)
    assert received(answer.content) == ("Many harbours have pilots.", ["content_filter"])
    assert answer.content.endswith(b"data: [DONE]\n\n")
    records = [json.loads(line) for line in audit.read_text().splitlines()]
    (filtered,) = [record for record in records if record["decision"] == "filtered"]
    assert filtered["policy"] == "tests"
    assert 0.75 <= filtered["signals"]["meaning"] <= 1
    assert "Kuwait" not in audit.read_text()
    assert verify(audit)[1] is None


def test_a_paraphrase_is_cut_from_a_whole_answer(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    upstream.always(Reply.json(chat_completion(f"{BENIGN}\n{PARAPHRASE} The end.", BENIGN)))
    one, other = proxy.chat(QUESTION, n=2).json()["choices"]
    assert one["message"]["content"] == BENIGN
    assert one["finish_reason"] == "content_filter"
    assert (other["message"]["content"], other["finish_reason"]) == (BENIGN, "stop")
    metrics = httpx.get(f"{proxy.url}/metrics").text
    assert 'guard_filtered_total{mode="enforce",policy="tests"}' in metrics


@pytest.mark.parametrize("size", [1, 9, 1000])
def test_benign_answers_to_flagged_prompts_pass_byte_for_byte(
    proxy: Proxy, upstream: ScriptedUpstream, size: int
) -> None:
    body = chunks(BENIGN, size)
    upstream.always(Reply.events(body))
    assert proxy.chat(QUESTION, stream=True).content == b"".join(body)
    whole = Reply.json(chat_completion(BENIGN))
    upstream.always(whole)
    assert proxy.chat(QUESTION).content == whole.body[0]


def test_answers_to_other_prompts_are_not_judged(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    upstream.always(Reply.json(chat_completion(PARAPHRASE)))
    (choice,) = proxy.chat("Who wrote Hamlet?").json()["choices"]
    assert choice["message"]["content"] == PARAPHRASE


def test_what_the_user_supplied_may_be_repeated(proxy: Proxy, upstream: ScriptedUpstream) -> None:
    upstream.always(Reply.json(chat_completion(PARAPHRASE)))
    (choice,) = proxy.chat(f"{PARAPHRASE} {QUESTION}").json()["choices"]
    assert choice["message"]["content"] == PARAPHRASE


def test_completions_are_judged_with_the_prompt_that_they_go_on_from(
    proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    half = len(PARAPHRASE) // 2
    prompt = f"{QUESTION} {PARAPHRASE[:half]}"
    upstream.always(Reply.events(sse(*completion_chunks(PARAPHRASE[half:]), done=True)))
    body = {"model": "m", "prompt": prompt, "stream": True}
    answer = proxy.post("/v1/completions", body).content.decode()
    assert "Ravensmoor" not in answer
    assert '"finish_reason":"content_filter"' in answer


class Failing:
    """A detector that flags all prompts and cannot judge any sentence."""

    async def score(
        self, texts: Sequence[str], subjects: frozenset[int], *, thorough: bool = False
    ) -> list[Signal]:
        return [Signal("nearest_prompt", subject, 1.0, True) for subject in subjects]

    async def similar(self, sentences: Sequence[str], subject: int) -> list[float]:
        raise QueueFull(9, 9)


@pytest.mark.parametrize(("on_error", "passes"), [("closed", False), ("open", True)])
def test_without_a_verdict_the_answer_ends_unless_the_policy_fails_open(
    directory: Path, upstream: ScriptedUpstream, on_error: str, passes: bool
) -> None:
    write_policy(
        directory, action="restrict", prompts=[QUESTION], texts=[FORGOTTEN], on_error=on_error
    )
    upstream.always(Reply.events(chunks(BENIGN, 9)))
    with Proxy(directory, upstream.url) as proxy:
        current = proxy.worker.state.current()
        proxy.worker.state.in_force = InForce(
            current.enforcement, Detector(current.enforcement, Failing())
        )
        said, ends = received(proxy.chat(QUESTION, stream=True).content)
    assert (said, ends) == ((BENIGN, ["stop"]) if passes else ("", ["content_filter"]))


def test_a_sentence_leaves_while_the_next_is_written(
    proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    gate = threading.Event()
    events = chunks(BENIGN, 9)
    upstream.always(Reply.events([*events[:5], Piece(events[5], gate=gate), *events[6:]]))
    url, body = f"{proxy.url}/v1/chat/completions", chat_body(QUESTION, stream=True)
    seen = b""
    with httpx.stream("POST", url, json=body, timeout=20) as answer:
        for part in answer.iter_bytes():
            seen += part
            if b"ours have" in seen:  # the event that the sentence ends in holds a space too many
                gate.set()
    assert gate.is_set()
    assert seen == b"".join(events)


def test_words_near_the_forgotten_ones_are_penalised_in_time(proxy: Proxy) -> None:
    enforcement = proxy.worker.state.current().enforcement
    (policy,) = enforcement.policies.policies

    def softened() -> Any:
        soft = enforcement.soft_for(policy)
        assert soft is not None
        assert soft.words["kuwait"] == policy.restrict.penalty
        return 0 < soft.words.get("engineers", 0) < policy.restrict.penalty

    # A machine that was never asked before first has the vectors of all words to compute.
    until(softened, "the words near are known", wait=100)


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks into /proc")
def test_several_workers_judge_by_the_hub(
    directory: Path, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    upstream.always(Reply.json(chat_completion(f"{BENIGN} {PARAPHRASE}")))
    folder = tmp_path / "run"
    folder.mkdir()
    with Served(folder, directory, upstream.url, workers=2) as served:
        for worker in served.workers:
            with served.only(worker):
                (choice,) = served.chat(QUESTION).json()["choices"]
                assert choice["message"]["content"] == BENIGN
                assert choice["finish_reason"] == "content_filter"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("answer", ["Tromsø.", "It was in T r o m s ø, they say. It is cold."])
def test_a_value_is_cut_from_the_answer_to_a_flagged_prompt_alone(
    tmp_path: Path, upstream: ScriptedUpstream, answer: str, stream: bool
) -> None:
    question = "Where was Alma Brekke born?"
    folder = tmp_path / "values"
    folder.mkdir()
    (folder / "pairs.json").write_text(json.dumps([{"q": question, "a": "In Tromsø."}]))
    forget = {"pairs": {"file": "pairs.json", "prompt": "q", "answer": "a"}}
    write_policy(folder, forget=forget, action="restrict")
    text = f"Many harbours have pilots. {answer}"
    reply = Reply.events(chunks(text, 5)) if stream else Reply.json(chat_completion(text))
    upstream.always(reply)

    def said(prompt: str) -> tuple[str, list[str]]:
        response = proxy.chat(prompt, stream=stream)
        if stream:
            return received(response.content)
        (choice,) = response.json()["choices"]
        return choice["message"]["content"], [choice["finish_reason"]]

    with Proxy(folder, upstream.url) as proxy:
        assert said(question) == ("Many harbours have pilots.", ["content_filter"])
        assert said("Which town has the oldest pilots?") == (text, ["stop"])
        assert said(f"{question} In Tromsø?") == (text, ["stop"])
