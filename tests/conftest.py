"""Fixtures that every group of tests may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.upstream import ScriptedUpstream


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    """A model server that says what the test scripts."""
    with ScriptedUpstream() as server:
        yield server
