"""A proxy in front of the scripted upstream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.policies import PASSAGE, SECRET
from tests.support.proxy import Proxy, write_policy
from tests.support.upstream import ScriptedUpstream


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A directory with one policy: a name and two texts."""
    directory = tmp_path / "policies"
    directory.mkdir()
    write_policy(directory, names=["Harry Potter"], texts=[PASSAGE, SECRET])
    return directory


@pytest.fixture
def proxy(policies: Path, upstream: ScriptedUpstream) -> Iterator[Proxy]:
    """The proxy with that policy."""
    with Proxy(policies, upstream.url) as running:
        yield running
