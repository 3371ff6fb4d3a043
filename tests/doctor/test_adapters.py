"""An adapter that guard made is compared with the base that it is served on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guard.distil.export import CARD, base_hash, write_result
from guard.doctor import CHECKS, Finding, Patient
from guard.upstream import Upstream, UpstreamOptions
from tests.support.upstream import ScriptedUpstream


def model(folder: Path, weights: bytes) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}", "utf-8")
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def adapter(folder: Path, base: Path) -> Path:
    card: dict[str, Any] = {
        "recipe": {"name": "npo-kl", "description": "d"}, "claim": "behaviour", "form": "adapter",
        "base": {"hash": base_hash(base)}, "policy_set": "f" * 64, "policies": {}, "seed": 0,
        "outcome": {}, "sources": [], "warnings": [],
    }  # fmt: skip
    write_result(folder, lambda to: (to / "adapter_model.safetensors").touch(), card)
    return folder


async def examined(upstream: ScriptedUpstream, root: Path, base_root: Path) -> Finding:
    models = (
        {"id": "m", "root": str(base_root), "parent": None},
        {"id": "forgets", "root": str(root), "parent": "m"},
    )
    async with Upstream(UpstreamOptions(upstream.url)) as client:
        (found,) = await CHECKS["adapters"](Patient(client, "m", models))
    return found


@pytest.mark.parametrize(
    ("case", "level", "seen"),
    [
        ("right", "ok", "is for this base"),
        ("other base", "problem", "another base than m"),
        ("changed", "problem", "not the file"),
        ("half written", "problem", "no whole result"),
        ("no card", "note", "not made by guard distil"),
        ("elsewhere", "note", "cannot be seen from here"),
        ("base elsewhere", "note", "its base's folder cannot be seen"),
    ],
)
async def test_adapters(
    upstream: ScriptedUpstream, tmp_path: Path, case: str, level: str, seen: str
) -> None:
    base = model(tmp_path / "base", b"weights")
    made = adapter(tmp_path / "adapter", base)
    if case == "other base":
        base = model(tmp_path / "other", b"other weights")
    elif case == "changed":
        (made / "adapter_model.safetensors").write_bytes(b"more")
    elif case == "half written":
        (made / CARD).write_text('{"files"', "utf-8")
    elif case == "no card":
        (made / CARD).unlink()
    elif case == "elsewhere":
        made = tmp_path / "nowhere"
    elif case == "base elsewhere":
        base = tmp_path / "nowhere"
    found = await examined(upstream, made, base)
    assert (found.level, seen in found.seen) == (level, True), found
