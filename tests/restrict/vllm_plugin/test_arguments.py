"""What requests carry, read and refused."""

from __future__ import annotations

from typing import Any

import pytest

from guard.restrict.vllm_plugin.arguments import (
    Arguments,
    as_xargs,
    problem_of,
    read_arguments,
)


@pytest.mark.parametrize(
    ("sets", "soft", "lead"),
    [(["a"], [], False), (["a", "b"], [], True), (["a"], ["s"], True), ([], ["s"], False)],
)
def test_what_is_said_is_what_is_read(sets: list[str], soft: list[str], lead: bool) -> None:
    said = as_xargs(sets, soft, lead=lead)
    assert read_arguments(said) == Arguments(tuple(sets), tuple(soft), lead)
    assert problem_of(said) is None


def test_nothing_to_say_adds_nothing() -> None:
    assert as_xargs([], lead=True) == {}


@pytest.mark.parametrize("extra", [None, {}, {"other": 1}])
def test_other_requests_are_none_of_ours(extra: dict[str, Any] | None) -> None:
    assert read_arguments(extra) is None
    assert problem_of(extra) is None


@pytest.mark.parametrize(
    "extra",
    [
        {"guard_sets": "a"},
        {"guard_sets": [1]},
        {"guard_sets": None},
        {"guard_sets": ["a"] * 9},
        {"guard_soft": 1.5},
        {"guard_sets": ["a"], "guard_soft": [None]},
    ],
)
def test_what_cannot_be_read_lets_the_row_do_nothing_but_end(extra: dict[str, Any]) -> None:
    read = read_arguments(extra)
    assert read is not None
    assert read.sets is None
    assert problem_of(extra)
