"""Whether the engine's plugin is on, by the canary and by what the engines report."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from guard.doctor.finding import Finding
from guard.doctor.patient import Patient
from guard.engine.canary import CANARY_SET, prove, publish_canary
from guard.engine.mends import MENDS, PROCESSED, shows_banned
from guard.restrict.shelf import Shelf, held_by_all

NAME = "plugin"
TRIES = 16  # canaries at least: a replica without the plugin is met by chance
HOLD_SECONDS = 10.0
_POLL_SECONDS = 0.1

Ranks = Sequence[Mapping[str, Any]]


async def check(patient: Patient) -> list[Finding]:
    """The proof, then each engine's report. Raises EngineError where the shelf cannot be used."""
    if patient.shelf is None:
        seen = "not examined: no shelf is given, so the proxy forgets alone"
        return [Finding(NAME, "note", seen, "--shelf DIR, the engines' GUARD_SHELF")]
    shelf = patient.shelf
    await asyncio.to_thread(publish_canary, shelf)
    await _held(shelf)
    proof = await prove(patient.upstream, shelf, tries=TRIES)
    engines = await asyncio.to_thread(shelf.engines)
    found = []
    if proof.why is not None:
        seen, mend = MENDS[proof.why]
        found.append(Finding(NAME, "problem", seen, mend))
    for name, ranks in sorted(engines.items()):
        obeys = name in proof.proved
        seen = "obeys the canary" if obeys else "has not been seen to obey the canary"
        found.append(Finding(NAME, "ok" if obeys else "problem", f"{name}: {seen}"))
        found += _report(shelf, name, ranks)
    return found


async def _held(shelf: Shelf) -> None:
    """Wait until the engines hold the canary, but not for long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + HOLD_SECONDS
    while loop.time() < deadline:
        engines = await asyncio.to_thread(shelf.engines)
        refused = any(rank["refused"] for ranks in engines.values() for rank in ranks)
        if not engines or refused or held_by_all(engines, CANARY_SET):
            return
        await asyncio.sleep(_POLL_SECONDS)


def _report(shelf: Shelf, name: str, ranks: Ranks) -> list[Finding]:
    """What one engine's ranks say about themselves."""
    first = ranks[0]
    found = []
    if len(ranks) != first["ranks"]:
        seen = f"{name}: {len(ranks)} of {first['ranks']} ranks report"
        found.append(Finding(NAME, "problem", seen, "the same GUARD_SHELF for every rank"))
    held = [len(shelf.manifests() & set(rank["manifests"])) for rank in ranks]
    nodes = first["nodes"]
    seen = (
        f"{name}: {min(held)} of {len(shelf.manifests())} sets held, {nodes['used']:,} of "
        f"{nodes['reserved']:,} nodes used, model runner {first.get('runner')}"
    )
    found.append(Finding(NAME, "ok", seen))
    refused = {trie for rank in ranks for trie in rank["refused"]}
    if refused:
        seen = f"{name}: {len(refused)} tries refused: no room for them, or damaged"
        mend = f"GUARD_SHELF_NODES above {nodes['reserved']}"
        found.append(Finding(NAME, "problem", seen, mend))
    mode = first.get("logprobs_mode")
    if shows_banned(mode):
        seen = f"{name}: log-probabilities are given as {mode}"
        found.append(Finding(NAME, "warning", seen, PROCESSED))
    return found + _speculation(name, first)


def _speculation(name: str, first: Mapping[str, Any]) -> list[Finding]:
    if not first.get("speculative"):
        return []
    if first.get("runner") == "v1":
        seen = f"{name}: speculative decoding under the V1 runner, which drops processors"
        return [Finding(NAME, "problem", seen, "leave out --speculative-config, or use V2")]
    return [Finding(NAME, "ok", f"{name}: speculative decoding, under the V2 runner")]
