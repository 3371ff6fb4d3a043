"""The trial of a processor's tile instructions."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from guard.demo.processor import tiles_are_trapped


@pytest.mark.parametrize(
    ("flags", "ended", "trapped"),
    [
        ("avx512f amx_tile", -signal.SIGILL, True),
        ("avx512f amx_tile", 0, False),
        ("avx512f amx_tile", 1, False),  # no torch: nothing that could trip over it either
        ("avx512f", -signal.SIGILL, False),
        (None, -signal.SIGILL, False),
    ],
)
def test_tiles_are_trapped_only_where_announced_and_deadly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str | None, ended: int, trapped: bool
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    if flags is not None:
        cpuinfo.write_text(f"flags\t\t: {flags}\n")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: SimpleNamespace(returncode=ended))
    assert tiles_are_trapped(cpuinfo) is trapped
