"""Metrics of answers as texts: ROUGE, refusals, released runs, lists given away."""

from __future__ import annotations

import random
from difflib import SequenceMatcher

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.evaluate.metrics import (
    Observed,
    benign_identity,
    is_refusal,
    list_inference,
    over_refusal,
    rouge_l,
)
from guard.evaluate.metrics.dusk import Answered, dusk
from guard.evaluate.metrics.muse import know_mem, verb_mem
from guard.evaluate.metrics.released import longest_verbatim, longest_words, nearest_meaning
from guard.evaluate.metrics.stemming import stem
from tests.support.reference_data import reference


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("caresses", "caress"),
        ("ponies", "poni"),
        ("ties", "tie"),
        ("agreed", "agre"),
        ("plastered", "plaster"),
        ("hopping", "hop"),
        ("falling", "fall"),
        ("filing", "file"),
        ("happy", "happi"),
        ("enjoy", "enjoy"),
        ("relational", "relat"),
        ("geology", "geolog"),
        ("hopefulness", "hope"),
        ("adoption", "adopt"),
        ("controlling", "control"),
        ("rate", "rate"),
        ("dying", "die"),
        ("as", "as"),
    ],
)
def test_stems(word: str, wanted: str) -> None:
    assert stem(word) == wanted


def test_recall_and_f1() -> None:
    found = rouge_l("the heron opens its wing", "a heron opens")
    assert (found.recall, found.precision) == pytest.approx((2 / 5, 2 / 3))
    assert found.f1 == pytest.approx(0.5)
    assert rouge_l("a b", "").f1 == 0


@pytest.mark.parametrize(
    ("text", "finish_reason", "refused"),
    [
        ("I can't help with that.", "stop", True),
        ("I’m sorry, but I do not know.", None, True),
        ("forgot", None, True),
        ("", None, True),
        ("The lighthouse is kept by", "content_filter", True),
        ("The lighthouse of Senn is kept by a retired baker.", "stop", False),
        ("She is known for her sorry tales.", "stop", False),
        ("He could not swim.", "stop", False),
    ],
)
def test_refusals(text: str, finish_reason: str | None, refused: bool) -> None:
    assert is_refusal(text, finish_reason) is refused


def test_published_refusals_are_told_from_published_answers() -> None:
    lines = reference("tofu", "idontknow.jsonl").read_text().splitlines()
    refusals = [line for line in lines if line.strip()]
    # The rule was written with the lines of even places in view; the others are new to it.
    assert np.mean([is_refusal(line) for line in refusals[1::2]]) > 0.6
    lines = reference("tofu", "world_facts.json").read_text().splitlines()
    assert not any(is_refusal(line) for line in lines)


def test_over_refusal_and_identity() -> None:
    assert over_refusal([("Blue.", "stop"), ("I don't know.", "stop")]) == 0.5
    assert benign_identity(["a", "b"], ["a", "B"]) == 0.5


def test_muse_cuts_answers_where_the_next_question_begins() -> None:
    assert know_mem(["blue barley"], ["Blue barley\n\nand more"]) == 100
    assert know_mem(["blue barley"], ["blue barley Question: what?"]) == 100
    assert verb_mem(["one two three four"], ["one two"]) == pytest.approx(100 * 2 / 3)


@given(st.text(alphabet="ab ", max_size=20), st.text(alphabet="ab ", max_size=20))
def test_longest_verbatim_run(answer: str, text: str) -> None:
    wanted = max(
        (
            j - i
            for i in range(len(answer))
            for j in range(i + 1, len(answer) + 1)
            if answer[i:j] in text
        ),
        default=0,
    )
    assert longest_verbatim(answer, [text]) == wanted
    assert SequenceMatcher(None, answer, text, autojunk=False).find_longest_match().size == wanted


def test_longest_run_of_words_sees_through_case_marks_and_invisible_signs() -> None:
    text = "the copper heron opens its left wing"
    assert longest_words("The CÓPPER, her\u200bon opens — its", [text]) == 5
    assert longest_words("nothing of it", [text]) == 0
    assert longest_words("anything", []) == 0


def test_nearest_meaning_takes_the_nearest_sentence() -> None:
    vectors = {"one": [1.0, 0.0], "two": [0.0, 1.0]}

    def encode(texts: object) -> np.ndarray:
        return np.array([vectors[text] for text in texts], np.float32)  # type: ignore[attr-defined]

    assert nearest_meaning("two. one", ["one"], encode) == 1
    assert nearest_meaning("", ["one"], encode) == 0


def observed(texts: list[str], seconds: list[float]) -> list[Observed]:
    return [Observed(*row, "s") for row in zip(texts, ["stop"] * len(texts), seconds, strict=True)]


def test_refusing_gives_the_list_away_and_equal_answers_do_not() -> None:
    chance = random.Random(0)
    times = [chance.random() for _ in range(40)]
    refused = [Observed("I can't help with that.", "content_filter", t) for t in times[:20]]
    answered = [Observed(f"It is {n} miles.", "stop", t) for n, t in enumerate(times[20:])]
    told = list_inference(refused, answered)
    assert told.refusal == told.finish_reason == told.text == told.worst == 1
    same = [Observed("I don't know.", "stop", 1.0)] * 20
    assert list_inference(same, same).worst == 0.5
    slow = [Observed("I don't know.", "stop", 2.0)] * 20
    assert list_inference(same, slow).timing == 1
    untimed = [Observed("I don't know.", "stop", None)] * 20
    told = list_inference(untimed, untimed)
    assert (told.timing, told.worst) == (None, 0.5)


def test_a_name_in_the_answer_does_not_count_as_a_difference() -> None:
    first = [Observed(f"I know no {name}.", "stop", 1.0, name) for name in ("Ann Lee", "Bo Day")]
    other = [Observed(f"I know no {name}.", "stop", 1.0, name) for name in ("Cy Fox", "Di Orr")]
    assert list_inference(first, other).text == 0.5


def test_dusk_of_an_untouched_model() -> None:
    same = Answered(["blue barley grows"], ["blue barley grows"])
    found = dusk(
        verbatim=same,
        unique_forget=same,
        shared=same,
        unique_retain=Answered(["a b"], ["c"]),
        downstream=0.5,
        forget_auc=(0.0, 0.5),
        retain_auc=(0.4, 0.5),
    )
    assert (found.verbatim_memorisation, found.unique_retain_knowledge) == (1, 0)
    assert (found.privacy_leakage, found.retain_deviation) == pytest.approx((-100, 20))
