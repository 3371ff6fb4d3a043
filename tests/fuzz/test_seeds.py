"""What the fuzzer has found stays found: every input in `seeds/` through its target."""

from __future__ import annotations

import pytest

from tests.fuzz.seeds import TARGETS, one_of, seeds


@pytest.mark.parametrize("target", TARGETS)
def test_the_seeds_of_a_target_hold(target: str) -> None:
    run, inputs = one_of(target), seeds(target)
    assert inputs
    assert any(run(each) is not None for each in inputs)  # None: not an input of the target
    for each in inputs:
        run(each)
