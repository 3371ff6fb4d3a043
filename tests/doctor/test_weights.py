"""Whole weights that guard made are compared with the base that everybody else is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guard.distil.export import CARD, base_hash, write_result
from guard.doctor import CHECKS, Finding, Patient
from guard.doctor.finding import Level
from guard.upstream import Upstream, UpstreamOptions
from tests.doctor.test_adapters import model
from tests.support.upstream import Reply, ScriptedUpstream


def weights(folder: Path, base: Path, form: str = "weights") -> Path:
    card: dict[str, Any] = {
        "recipe": {"name": "npo", "description": "d"}, "claim": "behaviour", "form": form,
        "base": {"hash": base_hash(base), "path": str(base)}, "policy_set": "f" * 64,
        "policies": {}, "seed": 0, "outcome": {}, "sources": [], "warnings": [],
    }  # fmt: skip
    write_result(folder, lambda to: (to / "model.safetensors").touch(), card)
    return folder


async def examined(upstream: ScriptedUpstream, made: Path, base: Path, *, named: bool) -> Finding:
    """With `--reroute`, or on the second server itself."""
    served = {"id": "forgets", "root": str(made)}
    upstream.reply(Reply.json({"object": "list", "data": [served]}))
    first = ({"id": "m", "root": str(base)},) if named else (served,)
    async with Upstream(UpstreamOptions(upstream.url)) as client:
        second = client if named else None
        (found,) = await CHECKS["weights"](Patient(client, "m", first, reroute=second))
    return found


@pytest.mark.parametrize("named", [True, False], ids=["named", "itself"])
@pytest.mark.parametrize(
    ("case", "level", "seen"),
    [
        ("right", "ok", "is made of this base; policies ffff"),
        ("other base", "problem", "another base than"),
        ("changed", "problem", "not the file"),
        ("half written", "problem", "no whole result"),
        ("adapter", "problem", "of adapter, not weights"),
        ("base elsewhere", "note", "its base's folder cannot be seen"),
    ],
)
async def test_weights(
    upstream: ScriptedUpstream, tmp_path: Path, case: str, level: Level, seen: str, named: bool
) -> None:
    base = model(tmp_path / "base", b"weights")
    made = weights(tmp_path / "made", base, "adapter" if case == "adapter" else "weights")
    if case == "other base":
        (base / "model.safetensors").write_bytes(b"other")
    elif case == "changed":
        (made / "model.safetensors").write_bytes(b"more")
    elif case == "half written":
        (made / CARD).write_text('{"files"', "utf-8")
    elif case == "base elsewhere":
        base = base.rename(tmp_path / "away")
        base = tmp_path / "nowhere"
    found = await examined(upstream, made, base, named=named)
    assert (found.level, seen in found.seen) == (level, True), found


@pytest.mark.parametrize(
    ("named", "there", "seen"),
    [
        (True, False, "its folder cannot be seen from here, and a server does not say"),
        (True, True, "not made by guard distil"),
        (False, True, "no second server was named"),
    ],
)
async def test_what_cannot_be_known_is_said(
    upstream: ScriptedUpstream, tmp_path: Path, named: bool, there: bool, seen: str
) -> None:
    base = model(tmp_path / "base", b"weights")
    other = model(tmp_path / "other", b"other") if there else tmp_path / "nowhere"
    found = await examined(upstream, other, base, named=named)
    assert (found.level, seen in found.seen) == ("note", True), found
