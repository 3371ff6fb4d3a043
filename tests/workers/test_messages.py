"""What travels arrives as what it was."""

from __future__ import annotations

import errno

import orjson
import pytest

from classifiers import Closed, EncoderUnavailable, QueueFull, Signal, TooManyTokens
from guard.detect import subjects
from guard.errors import DetectorError
from guard.policy import Entity, Policy, PolicySet
from guard.workers.messages import (
    UnknownSet,
    carried,
    packed_set,
    packed_signals,
    raised,
    unpacked_set,
    unpacked_signals,
)
from tests.support.policies import policy


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (QueueFull(3, 4), QueueFull, "3 texts wait for the encoder already, at most 4 may"),
        (TooManyTokens(9, 8), TooManyTokens, "9 tokens"),
        (Closed(), Closed, "closed"),
        (UnknownSet(), UnknownSet, "does not hold"),
        (OSError(errno.ENOSPC, "No space left"), OSError, "No space left"),
        (OSError("written in part"), OSError, "written in part"),
        (DetectorError("no encoder"), DetectorError, "no encoder"),
        (EncoderUnavailable("torch"), DetectorError, "EncoderUnavailable"),
        (RuntimeError("quotes a prompt"), DetectorError, "RuntimeError"),
    ],
)
def test_an_error_is_raised_as_what_it_was(
    error: Exception, kind: type[Exception], text: str
) -> None:
    name, arguments = orjson.loads(orjson.dumps(carried(error)))
    arrived = raised(name, arguments)
    assert type(arrived) is kind
    assert text in str(arrived)


def test_a_system_error_keeps_its_number() -> None:
    assert raised(*carried(OSError(errno.ENOSPC, "full"))).errno == errno.ENOSPC  # type: ignore[attr-defined]


def test_an_unforeseen_error_leaves_its_text_behind() -> None:
    assert "prompt" not in str(raised(*carried(RuntimeError("quotes a prompt"))))


def test_a_set_keeps_its_prompts_thresholds_and_numbers() -> None:
    whole = PolicySet(
        (
            policy("Zoe", name="z", prompts=("Who is Zoe?",)),
            policy("Nobody", name="a", texts=("a text of the policy that must stay here",)),
            policy(name="m", prompts=("One?", "Two?")),
        )
    )
    wire = orjson.dumps(packed_set(whole))
    arrived = unpacked_set(orjson.loads(wire))
    assert [(s.id, s.prompts, s.threshold) for s in subjects(arrived)] == [
        (s.id, s.prompts, s.threshold) for s in subjects(whole)
    ]
    assert b"must stay here" not in wire


def test_a_set_keeps_what_it_says_in_a_few_words() -> None:
    entities = (Entity("Zoe", ("Z.",), ("home",), ("the bishop",)), Entity("Ada"))
    whole = PolicySet((Policy(name="z", entities=entities, topics=("locks",)),))
    arrived = unpacked_set(orjson.loads(orjson.dumps(packed_set(whole))))
    assert subjects(arrived) == subjects(whole)
    assert subjects(arrived)[1].limited


def test_signals_arrive_as_they_were() -> None:
    signals = [Signal("nearest_prompt", 3, 0.91, True), Signal("nearest_prompt", 0, -0.5, False)]
    assert unpacked_signals(orjson.loads(orjson.dumps(packed_signals(signals)))) == signals
