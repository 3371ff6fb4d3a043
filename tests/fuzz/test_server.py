"""A short run of schemathesis against the running server; longer ones: `tests.fuzz.server`."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

from tests.fuzz.server import command, fuzzed_proxy


@pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None, reason="schemathesis comes with the dev extra"
)
@pytest.mark.timeout(600)
def test_the_running_server_keeps_to_its_own_document(tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    with fuzzed_proxy(policies) as proxy:
        line = command(proxy.url, examples=8, seed=1, phases="fuzzing")
        done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "11 passed" in done.stdout
