"""An engine counts only once it has obeyed the canary, and again after it was away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from guard.engine import CanaryWatch, canary, watch
from guard.engine.canary import CANARY, CANARY_SET, Proof, prove, publish_canary, speaks
from guard.engine.mends import MENDS
from guard.errors import EngineError
from guard.restrict.shelf import held_by_all
from guard.upstream import Upstream, UpstreamOptions
from tests.support.fleet import Fleet, fleet_on
from tests.support.proxy import Proxy, until, write_policy
from tests.support.upstream import ScriptedUpstream, unreachable_url


@pytest.fixture
def fleet(tmp_path: Path, upstream: ScriptedUpstream) -> Iterator[Fleet]:
    with fleet_on(tmp_path / "shelf", upstream) as fleet:
        yield fleet


@pytest.fixture
async def client(upstream: ScriptedUpstream) -> AsyncIterator[Upstream]:
    async with Upstream(UpstreamOptions(upstream.url)) as client:
        yield client


async def held(fleet: Fleet) -> None:
    publish_canary(fleet.shelf)
    async with asyncio.timeout(10):
        while not held_by_all(fleet.shelf.engines(), CANARY_SET):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", True),
        ("...A...", True),
        ("7", True),
        ("  Paris", True),
        ("", False),
        ("\n - ...", False),
        ("!", True),  # reads as a letter: what forbids letters forbids it
        ("城", False),
    ],
)
def test_what_the_canary_forbids(text: str, expected: bool) -> None:
    assert speaks(text) is expected


# What the replicas of the fleet say of themselves.
MODES = {"logprobs_modes": ["processed_logprobs"], "speculative": False}


def test_the_canary_forbids_every_letter_and_digit() -> None:
    assert len(CANARY) == 36
    assert all(speaks(chr(i)) for i in range(128) if chr(i).isalnum())


async def test_engines_that_obey_are_proved(fleet: Fleet, client: Upstream) -> None:
    fleet.join("one")
    fleet.join("two")
    await held(fleet)
    assert await prove(client, fleet.shelf) == Proof(frozenset({"one", "two"}))


@pytest.mark.parametrize(
    ("replicas", "why"),
    [
        ([], "no_engine"),
        ([{"obeys": False}], "off"),  # holds the sets and applies nothing
        ([{}, {"plugin": False}], "off"),  # nothing reports for the second one
        ([{}, {"obeys": False}], "off"),
        ([{"silent": True}], "unproved"),  # says no letter anyway: nothing to see
    ],
)
async def test_what_is_not_seen_to_obey_is_not_proved(
    fleet: Fleet, client: Upstream, replicas: list[dict[str, Any]], why: str
) -> None:
    for number, how in enumerate(replicas):
        fleet.join(f"e{number}", **how)
    if replicas:
        await held(fleet)
    assert (await prove(client, fleet.shelf)).why == why


async def test_one_that_ignores_the_canary_fails_the_proof_of_all_and_is_told_apart(
    fleet: Fleet, client: Upstream
) -> None:
    fleet.join("one")
    fleet.join("off", obeys=False)
    await held(fleet)
    assert await prove(client, fleet.shelf) == Proof(frozenset({"one"}), "off")


async def test_an_engine_without_room_for_the_canary_is_not_proved(
    fleet: Fleet, client: Upstream
) -> None:
    fleet.join("full", nodes=8)
    publish_canary(fleet.shelf)
    async with asyncio.timeout(10):
        while not any(rank["refused"] for r in fleet.shelf.engines().values() for rank in r):
            await asyncio.sleep(0.05)
    assert await prove(client, fleet.shelf) == Proof(why="not_held")


async def test_an_engine_that_no_request_reaches_is_not_proved(
    fleet: Fleet, client: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary, "REPORT_SECONDS", 1.3)
    fleet.join("one")
    hidden = fleet.join("starting")
    fleet.replicas.remove(hidden)
    await held(fleet)
    proof = await prove(client, fleet.shelf)
    assert proof == Proof(frozenset({"one"}), "unproved")
    fleet.replicas.append(hidden)


async def test_without_an_answer_nothing_is_proved(fleet: Fleet) -> None:
    fleet.join("one")
    await held(fleet)
    async with Upstream(UpstreamOptions(unreachable_url())) as nobody:
        assert (await prove(nobody, fleet.shelf)).why == "unreachable"


# --- the watch ---------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks as often as a test needs them."""
    for name, seconds in (
        ("LOOK_SECONDS", 0.05), ("REACH_SECONDS", 0.05), ("PUBLISH_SECONDS", 0.5),
        ("AGAIN_SECONDS", 0.1),
    ):  # fmt: skip
        monkeypatch.setattr(watch, name, seconds)


@pytest.fixture
async def watching(fleet: Fleet, client: Upstream, quick: None) -> AsyncIterator[CanaryWatch]:
    watched = CanaryWatch(fleet.shelf, client)
    task = asyncio.create_task(watched.follow())
    yield watched
    task.cancel()


async def becomes(watched: CanaryWatch, why: str | None) -> None:
    async with asyncio.timeout(15):
        while watched.why != why:
            await asyncio.sleep(0.02)


async def test_nothing_counts_before_it_is_proved(fleet: Fleet, watching: CanaryWatch) -> None:
    assert watching.report() == {
        "canary": "failed", "why": "unproved", "engines": 0, "proved": 0,
        "mend": MENDS["unproved"][1],
    }  # fmt: skip
    await becomes(watching, "no_engine")
    fleet.join("one")
    await becomes(watching, None)
    assert watching.report() == {"canary": "ok", "engines": 1, "proved": 1, **MODES}


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("processed_logits", {}),
        ("raw_logprobs", {"logprobs_mend": "--logprobs-mode processed_logprobs"}),
    ],
)
async def test_how_the_engines_run_is_told(
    fleet: Fleet, watching: CanaryWatch, mode: str, said: dict[str, str]
) -> None:
    fleet.join("one")
    fleet.join("two", facts={"logprobs_mode": mode, "speculative": True})
    async with asyncio.timeout(15):
        while watching.report()["engines"] != 2:
            await asyncio.sleep(0.02)
    report = watching.report()
    assert report["logprobs_modes"] == sorted({"processed_logprobs", mode})
    assert report["speculative"] is True
    assert {key: value for key, value in report.items() if key == "logprobs_mend"} == said


async def test_an_engine_that_joins_is_proved_too(fleet: Fleet, watching: CanaryWatch) -> None:
    fleet.join("one")
    await becomes(watching, None)
    fleet.join("two")
    async with asyncio.timeout(15):
        while watching.report() != {"canary": "ok", "engines": 2, "proved": 2, **MODES}:
            await asyncio.sleep(0.02)


async def test_a_joining_engine_has_a_while_but_not_for_ever(
    fleet: Fleet, watching: CanaryWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.join("one")
    await becomes(watching, None)
    starting = fleet.join("starting")
    fleet.replicas.remove(starting)
    async with asyncio.timeout(15):
        while watching.report()["engines"] == 1:
            await asyncio.sleep(0.02)
    assert watching.why is None
    monkeypatch.setattr(watch, "JOIN_SECONDS", 0.0)
    assert watching.why == "unproved"
    fleet.replicas.append(starting)
    await becomes(watching, None)


async def test_a_restart_without_the_plugin_is_seen(fleet: Fleet, watching: CanaryWatch) -> None:
    first = fleet.join("one")
    await becomes(watching, None)
    fleet.down = True
    await asyncio.sleep(0.3)
    fleet.leave(first)
    bare = fleet.join("one", plugin=False)
    fleet.down = False
    await becomes(watching, "no_engine")
    fleet.leave(bare)
    fleet.join("two")
    await becomes(watching, None)


async def test_what_was_away_is_proved_again_under_its_old_name(
    fleet: Fleet, watching: CanaryWatch
) -> None:
    replica = fleet.join("one")
    await becomes(watching, None)
    replica.obeys = False
    watching.lost()
    await becomes(watching, "off")
    replica.obeys = True
    await becomes(watching, None)


async def test_a_proof_is_repeated(
    fleet: Fleet, watching: CanaryWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = fleet.join("one")
    await becomes(watching, None)
    monkeypatch.setattr(watch, "PROVE_SECONDS", 0.1)
    replica.obeys = False
    await becomes(watching, "off")


async def test_a_server_too_busy_to_answer_loses_no_proof(
    fleet: Fleet, client: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.join("one")
    await held(fleet)
    watched = CanaryWatch(fleet.shelf, client)
    await watched.look()
    assert watched.why is None
    monkeypatch.setattr(watch, "PROVE_SECONDS", 0.0)
    monkeypatch.setattr(watch, "REACH_SECONDS", 60.0)
    fleet.down = True
    await watched.look()
    assert watched.why is None


async def test_a_shelf_that_cannot_be_used_proves_nothing(
    fleet: Fleet, watching: CanaryWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.join("one")
    await becomes(watching, None)

    def full(*_: object) -> None:
        raise EngineError("no space")

    monkeypatch.setattr(watch, "publish_canary", full)
    await becomes(watching, "shelf")


# --- readiness ---------------------------------------------------------------------------------


def ready(proxy: Proxy) -> tuple[int, Any]:
    answer = httpx.get(f"{proxy.url}/readyz", trust_env=False)
    return answer.status_code, answer.json()["engine"].get("why")


def test_readiness_follows_the_proof(
    tmp_path: Path, fleet: Fleet, upstream: ScriptedUpstream, quick: None
) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    write_policy(policies, names=["Harry Potter"])
    replica = fleet.join("one", obeys=False)
    with Proxy(policies, upstream.url, engine={"shelf": str(tmp_path / "shelf")}) as proxy:
        until(lambda: ready(proxy) == (503, "off"), "an engine that ignores the canary")
        # The output filter keeps the promise meanwhile: requests are served.
        assert proxy.post("/v1/completions", {"model": "m", "prompt": "Hi"}).status_code == 200
        replica.obeys = True
        until(lambda: ready(proxy) == (200, None), "an engine that obeys")
        metrics = httpx.get(f"{proxy.url}/metrics", trust_env=False).text
        assert "guard_engine_proved 1.0" in metrics
        assert 'guard_engine_canaries_total{result="ignored"}' in metrics
        started = time.monotonic()
        fleet.leave(replica)
        until(lambda: not fleet.shelf.engines(), "the report is gone")
        fleet.join("bare", plugin=False)
        until(lambda: ready(proxy) == (503, "no_engine"), "nobody reports any more")
        assert time.monotonic() - started < 60
