"""Fixtures that every group of tests may use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from tests.support.upstream import ScriptedUpstream

# How long an example takes says how busy the machine is; times are for bench/.
settings.register_profile("guard", deadline=None)
settings.load_profile("guard")


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    """A model server that says what the test scripts."""
    with ScriptedUpstream() as server:
        yield server


class ByFile(LoadScopeScheduling):
    """Side by side by file; whatever shares the one vLLM server stays in one process."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "vllm" if file.startswith("tests/vllm/") else file


@pytest.hookimpl(optionalhook=True)  # a run without xdist does not know it
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Marks of groups will not do: xdist 3.8 writes them where pytest 9.2 no longer reads them."""
    return ByFile(config, log)
