"""Each thing that a server can leak or lack is told, with what mends it; a healthy one is fine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guard.doctor import CHECKS, Finding, Level, Patient, examine, plugin
from guard.engine import canary
from guard.engine.mends import FLAG
from guard.restrict.shelf import Shelf
from guard.upstream import Upstream, UpstreamOptions
from tests.support.fleet import Fleet
from tests.support.healthy import KEY, Healthy
from tests.support.upstream import Reply, ScriptedUpstream


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "REPORT_SECONDS", 1.5)


async def examined(
    url: str, shelf: Path | None = None, model: str = "m", only: str | None = None, **more: Any
) -> list[Finding]:
    async with Upstream(UpstreamOptions(url, KEY)) as client:
        models = more.get("models", ({"id": "m"},))
        patient = Patient(client, model, models, None if shelf is None else Shelf(shelf))
        return await (examine(patient) if only is None else CHECKS[only](patient))


def told(found: list[Finding], level: Level) -> list[str]:
    return [finding.seen for finding in found if finding.level == level]


async def test_a_healthy_server_is_fine(
    upstream: ScriptedUpstream, fleet: Fleet, healthy: Healthy, shelf: Path
) -> None:
    fleet.join("one")
    fleet.join("two")
    found = await examined(upstream.url, shelf)
    assert not [finding for finding in found if finding.is_bad]
    assert {finding.check for finding in found} == CHECKS.keys()
    assert {"one: obeys the canary", "two: obeys the canary"} <= set(told(found, "ok"))


def keyless(server: Healthy) -> None:
    server.keyed = False


def no_vllm(server: Healthy) -> None:
    server.version = None


def raw(server: Healthy) -> None:
    server.raw_logprobs = True


def nothing_open(server: Healthy) -> None:
    server.refused |= {"logit_bias", "return_token_ids"}


def no_arguments(server: Healthy) -> None:
    server.refused.add("vllm_xargs")


def no_frontend(server: Healthy) -> None:
    server.knows_plugin = False


def reasons(server: Healthy) -> None:
    server.message = {"reasoning": "Let me think."}


def trims(server: Healthy) -> None:
    server.trims = True


def rewrites(server: Healthy) -> None:
    server.rewrites = True


def missing(path: str) -> Callable[[Healthy], None]:
    def take_away(server: Healthy) -> None:
        server._fleet.extra[path] = lambda request: Reply.json({"detail": "no"}, status=404)

    return take_away


@pytest.mark.parametrize(
    ("harm", "check", "level", "seen", "mend"),
    [
        (keyless, "server", "note", "needs no key", "VLLM_API_KEY"),  # on this machine
        (no_vllm, "server", "note", "not a vLLM", "need vLLM"),
        (raw, "logprobs", "warning", "its own probability", "--logprobs-mode processed_logprobs"),
        (no_arguments, "arguments", "warning", "vllm_xargs is refused", "vllm_xargs"),
        (no_frontend, "arguments", "note", "does not know the plugin", "--logits-processors"),
        (reasons, "chat", "note", "reasoning parser", None),
        (missing("/v1/chat/completions"), "chat", "note", "404", "--chat-template"),
        (trims, "rewinding", "note", "trims", "rendered text"),
        (rewrites, "rewinding", "note", "changes an answer's beginning", "content_filter"),
        (missing("/tokenize"), "rewinding", "note", "not served", "content_filter"),
        (missing("/detokenize"), "rewinding", "note", "not served", "content_filter"),
    ],
)
async def test_what_is_amiss_is_told(
    upstream: ScriptedUpstream,
    fleet: Fleet,
    healthy: Healthy,
    harm: Callable[[Healthy], None],
    check: str,
    level: Level,
    seen: str,
    mend: str | None,
) -> None:
    fleet.join("one", plugin=False)
    before = await examined(upstream.url, only=check)
    assert not [f for f in before if seen in f.seen]
    harm(healthy)
    (found,) = [f for f in await examined(upstream.url, only=check) if seen in f.seen]
    assert found.level == level
    assert (found.mend is None) == (mend is None)
    assert mend is None or mend in str(found.mend)


async def test_open_switches_are_named(
    upstream: ScriptedUpstream, fleet: Fleet, healthy: Healthy
) -> None:
    fleet.join("one", plugin=False)
    (found,) = await examined(upstream.url, only="channels")
    assert found.seen.endswith(": return_token_ids, logit_bias")
    nothing_open(healthy)
    (found,) = await examined(upstream.url, only="channels")
    assert found.level == "ok"


async def test_models_and_adapters_are_told(
    upstream: ScriptedUpstream, fleet: Fleet, healthy: Healthy
) -> None:
    models = ({"id": "m", "parent": None}, {"id": "forgets", "parent": "m"})
    found = await examined(upstream.url, only="server", models=models)
    assert {"models: m, forgets", "LoRA adapters: forgets"} <= set(told(found, "ok"))
    found = await examined(upstream.url, only="server", model="other")
    assert told(found, "problem") == ["other is not served"]


@pytest.mark.parametrize(
    ("replicas", "problems"),
    [
        ([], ["no engine reports"]),
        ([{"obeys": False}], ["ignores the canary", "e0: has not been seen to obey"]),
        ([{}, {"plugin": False}], ["ignores the canary"]),
        ([{"nodes": 8}], ["does not hold", "e0: has not", "e0: 1 tries refused"]),
        (
            [{"facts": {"speculative": True}}],
            ["e0: speculative decoding under the V1 runner"],
        ),
    ],
    ids=["none", "off", "one of two", "no room", "speculative"],
)
async def test_a_plugin_that_is_not_at_work_is_a_problem(
    upstream: ScriptedUpstream,
    fleet: Fleet,
    shelf: Path,
    replicas: list[dict[str, Any]],
    problems: list[str],
) -> None:
    for number, how in enumerate(replicas):
        fleet.join(f"e{number}", **how)
    found = await examined(upstream.url, shelf, only="plugin")
    bad = [finding for finding in found if finding.level == "problem"]
    for problem in problems:
        assert any(problem in finding.seen for finding in bad), problem
    mends = " ".join(finding.mend or "" for finding in bad)
    assert FLAG in mends or "GUARD_SHELF_NODES" in mends or "--speculative-config" in mends


async def test_raw_log_probabilities_of_a_replica_are_told(
    upstream: ScriptedUpstream, fleet: Fleet, shelf: Path
) -> None:
    fleet.join("one", facts={"logprobs_mode": "raw_logprobs"})
    found = await examined(upstream.url, shelf, only="plugin")
    assert told(found, "warning") == ["one: log-probabilities are given as raw_logprobs"]


async def test_a_rank_that_does_not_report_is_a_problem(
    upstream: ScriptedUpstream, fleet: Fleet, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "HOLD_SECONDS", 1.0)
    replica = fleet.join("one")
    assert replica.plugin is not None
    replica.plugin._ranks = 2
    found = await examined(upstream.url, shelf, only="plugin")
    assert "one: 1 of 2 ranks report" in told(found, "problem")


async def test_a_server_that_breaks_off_is_told_and_the_rest_examined(
    upstream: ScriptedUpstream, fleet: Fleet, healthy: Healthy
) -> None:
    fleet.join("one", plugin=False)
    from tests.support.upstream import Fault

    healthy._fleet.extra["/tokenize"] = lambda request: Reply(fault=Fault.CLOSE_BEFORE_HEAD)
    found = await examined(upstream.url)
    (broken,) = [finding for finding in found if finding.seen.startswith("no answer")]
    assert (broken.check, broken.level) == ("rewinding", "problem")
    assert {finding.check for finding in found} == CHECKS.keys()
