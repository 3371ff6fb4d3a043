"""The plugin's environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.errors import EngineError
from guard.restrict.vllm_plugin.options import Options, options_of


def test_the_shelf_is_enough() -> None:
    assert options_of({"GUARD_SHELF": "/s"}) == Options(Path("/s"))
    assert options_of({"GUARD_SHELF": "/s", "GUARD_SHELF_NODES": "5000"}).nodes == 5000


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"GUARD_SHELF": ""},
        {"GUARD_SHELF": "/s", "GUARD_SHELF_NODES": "many"},
        {"GUARD_SHELF": "/s", "GUARD_SHELF_NODES": "10"},
        {"GUARD_SHELF": "/s", "GUARD_SHELF_NODES": "-5000"},
    ],
)
def test_an_engine_that_could_not_guard_does_not_start(environment: dict[str, str]) -> None:
    with pytest.raises(EngineError):
        options_of(environment)
