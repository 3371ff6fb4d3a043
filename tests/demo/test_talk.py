"""The demo's talk is judged by what was said, over real sockets."""

from __future__ import annotations

import httpx
import pytest
from openai import OpenAI

from guard.demo.talk import SCRIPT, Answer, Decision, Question, Turn, ask, decide, faults
from tests.support.upstream import Reply, ScriptedUpstream, completion_chunks, sse

UNFLAGGED = Decision(False, None, None, None, 0.0)
FLAGGED = Decision(True, "marie-curie", "refuse", "name", 1.0)
ABOUT_HER = Question("Who discovered radium?", True)
BENIGN = Question("Who wrote Hamlet?", False)


def answer(text: str, finish_reason: str = "stop") -> Answer:
    return Answer(text, finish_reason, 1.0, 2.0)


def turn(question: Question, direct: str, guarded: str, decision: Decision = UNFLAGGED) -> Turn:
    return Turn(question, answer(direct), answer(guarded), decision)


FORGOTTEN = turn(ABOUT_HER, "Marie Curie", "I can't help with that.", FLAGGED)
KEPT = turn(BENIGN, "Shakespeare", "Shakespeare")


@pytest.mark.parametrize(
    ("turns", "complaints"),
    [
        ([FORGOTTEN, KEPT], []),
        ([FORGOTTEN, turn(ABOUT_HER, "MARIE CURIE", "marie curie"), KEPT], ["names the forgotten"]),
        ([FORGOTTEN, turn(BENIGN, "x", "by Madame Curie")], ["names the forgotten", "was changed"]),
        ([FORGOTTEN, turn(BENIGN, "Shakespeare", "Shakespeare.")], ["was changed"]),
        ([turn(ABOUT_HER, "Pierre", "no"), KEPT], ["never named"]),
        # A benign question that happens to bring her up shows nothing.
        ([turn(BENIGN, "Marie Curie", "Marie")], ["was changed", "never named"]),
        ([], ["never named"]),
    ],
)
def test_a_talk_fails_for_each_thing_it_should_have_shown(
    turns: list[Turn], complaints: list[str]
) -> None:
    found = faults(turns, ["Marie Curie", "Madame Curie"])
    assert len(found) == len(complaints)
    for fault, complaint in zip(found, complaints, strict=True):
        assert complaint in fault


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (FORGOTTEN, "prompt flagged (marie-curie): refuse"),
        (KEPT, "untouched"),
        (turn(BENIGN, "a", "b"), "answer changed"),
        (
            Turn(ABOUT_HER, answer("by Marie"), answer("by", "content_filter"), UNFLAGGED),
            "answer cut before the forbidden text",
        ),
    ],
)
def test_an_outcome_says_what_became_of_a_question(told: Turn, outcome: str) -> None:
    assert told.outcome == outcome


def test_the_script_asks_for_what_is_forgotten_and_for_what_stays() -> None:
    assert {question.forgotten for question in SCRIPT} == {True, False}
    assert len({question.text for question in SCRIPT}) == len(SCRIPT)


def test_an_answer_is_gathered_from_its_stream(upstream: ScriptedUpstream) -> None:
    upstream.reply(Reply.events(sse(*completion_chunks([" Mount", " Everest"]), done=True)))
    with OpenAI(base_url=f"{upstream.url}/v1", api_key="x", max_retries=0) as client:
        got = ask(client, "m", "What is the tallest mountain?")
    assert (got.text, got.finish_reason) == (" Mount Everest", "stop")
    assert 0 < got.first <= got.total
    sent = upstream.requests[0].json()
    assert sent["prompt"] == "Question: What is the tallest mountain?\nAnswer:"
    assert (sent["temperature"], sent["seed"], sent["stop"], sent["stream"]) == (0, 0, "\n", True)


@pytest.mark.parametrize(
    ("signals", "strongest"),
    [({}, None), ({"name": 1.0}, "name"), ({"name": 0.0, "nearest_prompt": 0.9}, "nearest_prompt")],
)
def test_a_decision_names_its_strongest_signal(
    upstream: ScriptedUpstream, signals: dict[str, float], strongest: str | None
) -> None:
    row = {"flagged": True, "policy": "p", "action": "refuse", "score": 0.9, "signals": signals}
    upstream.reply(Reply.json(row))
    with httpx.Client(trust_env=False) as http:
        assert decide(http, upstream.url, "m", "Who?") == Decision(
            True, "p", "refuse", strongest, 0.9
        )
