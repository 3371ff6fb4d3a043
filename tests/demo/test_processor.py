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


def test_the_trial_is_made_without_what_would_hide_the_trap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo = tmp_path / "with_tiles"
    cpuinfo.write_text("flags\t\t: amx_tile\n")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16")
    given: list[dict[str, str]] = []

    def run(*command: object, env: dict[str, str], **more: object) -> SimpleNamespace:
        given.append(env)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    assert not tiles_are_trapped(cpuinfo)
    assert "ONEDNN_MAX_CPU_ISA" not in given[0]
    assert "PATH" in given[0]
