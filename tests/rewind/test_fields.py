"""Which requests can be continued, and with what."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from guard.api.contract import contracts
from guard.rewind.fields import CARRIED, IGNORED, READ, SHAPES, Recipe, straddles

# Fields of the contract that rule a continuation out, unless their value changes nothing.
HINDER = {
    "tools", "tool_choice", "functions", "function_call", "documents", "response_format",
    "structured_outputs", "prediction", "bad_words", "verbosity", "frequency_penalty",
    "presence_penalty", "repetition_detection", "reasoning_effort", "thinking_token_budget",
    "include_reasoning", "suffix",
}  # fmt: skip


def recipe(endpoint: str = "chat", **fields: Any) -> Recipe | None:
    given = {"messages": []} if endpoint == "chat" else {"prompt": "x"}
    return Recipe.of(endpoint, orjson.dumps({"model": "m", **given, **fields}))


@pytest.mark.parametrize("endpoint", SHAPES)
def test_every_field_that_is_served_is_thought_of(endpoint: str) -> None:
    fields = contracts()[endpoint].fields
    served = {name for name, field in fields.items() if field.kind in ("guarded", "passed")}
    assert served <= CARRIED | READ | IGNORED | HINDER
    assert not HINDER & (CARRIED | READ | IGNORED)


@pytest.mark.parametrize("name", sorted(HINDER - {"include_reasoning"}))
def test_a_field_that_cannot_be_carried_rules_it_out(name: str) -> None:
    assert recipe(**{name: "something"}) is None
    assert recipe(**{name: None}) is not None


NEUTRAL = [
    {"response_format": {"type": "text"}},
    {"modalities": ["text"]},
    {"include_reasoning": True},
    {"logprobs": False, "top_logprobs": 0},
    {"tools": [], "tool_choice": "none"},
    {"frequency_penalty": 0.0},
    {"logit_bias": {}},
    {"temperature": 0, "seed": 1, "stop": ["x"]},
]


@pytest.mark.parametrize("fields", NEUTRAL)
def test_a_value_that_changes_nothing_is_let_be(fields: dict[str, Any]) -> None:
    assert recipe(**fields) is not None


def test_an_endpoint_without_continuation_has_no_recipe() -> None:
    assert Recipe.of("responses", b'{"model": "m"}') is None


@pytest.mark.parametrize(
    ("endpoint", "fields", "most"),
    [
        ("chat", {}, 90),
        ("chat", {"max_tokens": 20}, 20),
        ("chat", {"max_tokens": 20, "max_completion_tokens": 10}, 10),
        ("chat", {"max_tokens": 500}, 90),
        ("completions", {}, 16),
        ("completions", {"max_tokens": 7}, 7),
    ],
)
def test_how_long_an_answer_may_be(endpoint: str, fields: dict[str, Any], most: int) -> None:
    made = recipe(endpoint, **fields)
    assert made is not None
    assert made.most(90) == most


def test_lanes_answer_their_own_prompts() -> None:
    made = recipe("completions", prompt=["a", "b"], n=2)
    assert made is not None
    assert [made.prompt_of(lane) for lane in range(4)] == [0, 0, 1, 1]
    assert made.asking(1)["prompt"] == "b"


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [
        ("It was\n", ["\n"], False),
        ("It was\n", ["\n\n"], True),
        ("It was", ["is"], False),
        ("It was", ["swim"], True),
        ("", ["ab"], False),
        ("It was", [], False),
    ],
)
def test_a_stop_string_may_lie_across_a_joint(text: str, stops: list[str], expected: bool) -> None:
    assert straddles(text, stops) is expected
