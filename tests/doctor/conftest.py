"""A scripted server that lacks nothing; tests take one thing away at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fleet import Fleet, fleet_on
from tests.support.healthy import Healthy
from tests.support.upstream import ScriptedUpstream


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "shelf"


@pytest.fixture
def fleet(shelf: Path, upstream: ScriptedUpstream) -> Iterator[Fleet]:
    with fleet_on(shelf, upstream) as fleet:
        yield fleet


@pytest.fixture
def healthy(fleet: Fleet) -> Healthy:
    return Healthy(fleet)
