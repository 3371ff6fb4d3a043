"""Which sets a request is generated under: published, held, and not supplied by the user."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from guard.asked import Asked
from guard.enforcement import Binding, Enforcement
from guard.engine import EngineSets
from guard.policy import Policy, PolicySet, Restrict
from guard.policy.compiled import Entity
from guard.restrict.shelf import Shelf, manifest_id
from tests.restrict.vllm_plugin.support import engine_on

SECRET = "the copper heron opens its left wing at dusk over the river vault"
NAMED = Policy("named", entities=(Entity("Ottoline Varga"),), texts=(SECRET,))
STRICT = Policy("strict", entities=(Entity("Basil Korr"),), scope="any")
QUIET = Policy("quiet", entities=(Entity("Ana Lindqvist"),), restrict=Restrict(when="flagged"))
SHADOW = Policy("shadow", entities=(Entity("Mara Tenn"),), mode="shadow")


class Held:
    """A policy set published on a shelf that one engine follows."""

    def __init__(self, path: Path, *policies: Policy) -> None:
        self.shelf = Shelf(path)
        self.engine = engine_on(path)
        self.sets = EngineSets(self.shelf)
        self.swap(*policies)

    def swap(self, *policies: Policy) -> None:
        self.enforcement = Enforcement(PolicySet(policies))
        self.sets.prepare(self.enforcement, [None])
        self.look()

    def look(self) -> None:
        self.engine.follow()
        self.sets._held = self.sets._look()

    @property
    def binding(self) -> Binding:
        return self.enforcement.binding(None, "")

    def of(self, prompt: str, flagged: Policy | None = None) -> list[str]:
        return self.sets.sets_of(self.binding, asked(prompt), flagged)

    def phrases_of(self, sets: list[str]) -> set[str]:
        """The policies and kinds whose phrases are in some sets."""
        cache = self.binding.cache
        found = set()
        for policy in self.binding.policies:
            for kind, phrases in (("name", cache.names(policy)), ("text", cache.texts(policy))):
                shard = self.sets._names.get((policy.hash, kind))
                if phrases and any(shard in self.shelf.manifest(one).shards for one in sets):  # type: ignore[union-attr]
                    found.add(f"{policy.name} {kind}")
        return found


def asked(prompt: str, **more: Any) -> Asked:
    return Asked("m", False, 1, texts=(prompt,), **more)


@pytest.mark.parametrize(
    ("prompt", "flagged", "expected"),
    [
        ("Hello", None, {"named name", "named text", "strict name"}),
        ("Hello", QUIET, {"named name", "named text", "strict name", "quiet name"}),
        ("Who was Ottoline Varga?", NAMED, {"named text"}),
        ("Who was O t t o l i n e Varga?", NAMED, {"named text"}),
        (f"Explain: {SECRET}", None, {"named name", "strict name"}),
        (f"Did Ottoline Varga say {SECRET}?", None, set()),
        ("Who was Basil Korr?", STRICT, {"named name", "named text", "strict name", "quiet name"}),
    ],
)
def test_a_request_is_told_what_it_did_not_supply_itself(
    tmp_path: Path, prompt: str, flagged: Policy | None, expected: set[str]
) -> None:
    held = Held(tmp_path, NAMED, STRICT, QUIET, SHADOW)
    assert held.phrases_of(held.of(prompt, flagged)) == expected


def test_nothing_is_told_before_every_engine_holds_it(tmp_path: Path) -> None:
    held = Held(tmp_path, NAMED)
    other = engine_on(tmp_path, rank=0)
    other._name = "late"
    (tmp_path / "manifests").rename(tmp_path / "hidden")
    (tmp_path / "manifests").mkdir()
    other.follow()
    (tmp_path / "manifests").rmdir()
    (tmp_path / "hidden").rename(tmp_path / "manifests")
    held.look()
    assert held.of("Hello") == []
    other.follow()
    held.look()
    assert len(held.of("Hello")) == 2


def test_a_policy_that_is_added_is_told_and_the_rest_is_not_compiled_again(
    tmp_path: Path,
) -> None:
    held = Held(tmp_path, NAMED)
    before = {path.name for path in (tmp_path / "tries").glob("*.npz")}
    held.swap(NAMED, STRICT)
    assert held.phrases_of(held.of("Hello")) == {"named name", "named text", "strict name"}
    added = {path.name for path in (tmp_path / "tries").glob("*.npz")} - before
    shard = held.sets._names[STRICT.hash, "name"]
    assert added == {f"{manifest_id([shard])}.npz"}


def test_upkeep_merges_in_the_background_and_the_request_goes_on(tmp_path: Path) -> None:
    held = Held(tmp_path, NAMED)
    held.swap(NAMED, STRICT)
    told = held.of("Hello")
    held.sets._upkeep()
    tries = [held.shelf.manifest(one).tries for one in told]  # type: ignore[union-attr]
    assert all(len(some) == 1 for some in tries)
    held.look()
    assert held.of("Hello") == told


def test_a_set_that_another_proxy_withdrew_is_published_again(tmp_path: Path) -> None:
    held = Held(tmp_path, NAMED)
    told = held.of("Hello")
    for path in (tmp_path / "manifests").glob("*.json"):
        os.utime(path, (0, 0))
    Shelf(tmp_path).withdraw(unused_for=60)
    held.look()
    assert held.of("Hello") == [], "no engine holds it"

    async def again() -> list[str]:
        held.sets._upkeep()
        held.of("Hello")
        await asyncio.gather(*held.sets._tasks)
        held.look()
        return held.of("Hello")

    assert asyncio.run(again()) == told


def test_a_binding_nobody_foresaw_is_published_in_the_background(tmp_path: Path) -> None:
    held = Held(tmp_path, NAMED)
    binding = Enforcement(PolicySet((STRICT,))).binding("someone", "m")

    async def twice() -> tuple[list[str], list[str]]:
        first = held.sets.sets_of(binding, asked("Hello"), None)
        await asyncio.gather(*held.sets._tasks)
        held.look()
        return first, held.sets.sets_of(binding, asked("Hello"), None)

    first, second = asyncio.run(twice())
    assert first == []
    assert len(second) == 1


def test_without_an_enforced_policy_nothing_is_told(tmp_path: Path) -> None:
    held = Held(tmp_path, SHADOW)
    assert held.of("Hello") == []
    assert held.shelf.manifests() == set()


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (Policy("a", entities=(Entity("Ottoline Varga"),), action="restrict"), True),
        (Policy("b", entities=(Entity("Ottoline Varga"),), action="refuse"), False),
        (
            Policy(
                "c",
                entities=(Entity("Ottoline Varga"),),
                action="restrict",
                restrict=Restrict(penalty=0.0),
            ),
            False,
        ),
    ],
)
def test_a_flagged_request_is_told_its_policys_soft_penalties_once_they_are_held(
    tmp_path: Path, policy: Policy, told: bool
) -> None:
    held = Held(tmp_path, policy)
    held.sets.keep_only(held.enforcement)
    assert held.sets.soft_of(policy) == []
    held.look()
    held.look()
    assert bool(held.sets.soft_of(policy)) is told
    assert held.sets.soft_of(None) == []
