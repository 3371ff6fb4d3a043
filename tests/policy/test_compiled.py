"""Hashes follow what is enforced, and a set answers who is bound by what and when."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.policy import (
    AppliesTo,
    Entity,
    Match,
    Pair,
    Policy,
    PolicySet,
    PolicyTest,
    Reasoning,
    load_policy_set,
)
from tests.policy.conftest import HEAD, Write

TODAY = date(2026, 11, 24)
BASE = Policy(
    name="base",
    entities=(Entity("Basil", ("Bas",)),),
    pairs=(Pair("A?", "a"),),
    prompts=("A?", "B?"),
    texts=("a", "b"),
)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"until": date(2027, 1, 1)},
        {"applies_to": AppliesTo(models=("m",))},
        {"applies_to": AppliesTo(keys=("k",))},
        {"applies_to": AppliesTo(except_keys=("k",))},
        {"entities": ()},
        {"entities": (Entity("Basil"), Entity("Bas"))},
        {"pairs": ()},
        {"prompts": ("B?", "A?")},
        {"prompts": ("A?B?",)},
        {"texts": ("a", "b", "c")},
        {"prompts": ("A?", "B?", "a"), "texts": ("b",)},
        {"scope": "any"},
        {"action": "restrict"},
        {"mode": "shadow"},
        {"on_error": "open"},
        {"message": "No."},
        {"match": Match(words=9)},
        {"match": Match(beta=0.6)},
        {"match": Match(similarity=0.9)},
    ],
)
def test_a_change_of_what_is_enforced_changes_both_hashes(change: dict[str, Any]) -> None:
    changed = replace(BASE, **change)
    assert changed.hash != BASE.hash
    assert PolicySet((changed,)).hash != PolicySet((BASE,)).hash


@pytest.mark.parametrize(
    "reasoning",
    [
        Reasoning(context="Say nothing."),
        Reasoning(instruct="template"),
        Reasoning(profiles=("Alma Brekke.",)),
        Reasoning(answer_tokens=9),
    ],
)
def test_how_prompts_are_answered_counts_where_they_are(reasoning: Reasoning) -> None:
    assert replace(BASE, reasoning=reasoning).hash == BASE.hash
    answered = replace(BASE, action="reason")
    assert replace(answered, reasoning=reasoning).hash != answered.hash


@pytest.mark.parametrize(
    "change",
    [
        {"owner": "x"},
        {"description": "x"},
        {"reason": "x"},
        {"review_by": TODAY},
        {"source": Path("elsewhere.yaml")},
        {"tests": (PolicyTest("benign", prompt="x"),)},
        {"retain_prompts": ("x",)},
        {"match": Match(8, 0.50, 0.80)},
    ],
)
def test_a_change_of_anything_else_keeps_both_hashes(change: dict[str, Any]) -> None:
    changed = replace(BASE, **change)
    assert changed.hash == BASE.hash
    assert PolicySet((changed,)).hash == PolicySet((BASE,)).hash


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_only_equal_lists_of_texts_have_equal_hashes(one: list[str], other: list[str]) -> None:
    first, second = (Policy(name="p", texts=tuple(texts)) for texts in (one, other))
    assert (first.hash == second.hash) == (one == other)


def test_the_same_content_hashes_alike_wherever_and_however_it_is_stored(write: Write) -> None:
    write(json.dumps([{"t": "One text."}, {"t": "Two texts."}]), "one/rows.json")
    write("t\nOne text.\nTwo texts.\n", "two/table.csv")
    one = write(HEAD + "forget: {texts: {file: rows.json, field: t}}\n", "one/a.yaml")
    two = write("name: sample\nforget:\n  texts: {file: table.csv}\nversion: 1\n", "two/b.yml")
    assert load_policy_set(one.parent).hash == load_policy_set(two.parent).hash
    write("t\nOne text.\nTwo text.\n", "two/table.csv")
    assert load_policy_set(one.parent).hash != load_policy_set(two.parent).hash


def test_a_set_is_sorted_by_name_whatever_the_order_given() -> None:
    policies = [Policy(name=name) for name in ("c", "a", "b")]
    one, other = PolicySet(tuple(policies)), PolicySet(tuple(reversed(policies)))
    assert [policy.name for policy in one.policies] == ["a", "b", "c"]
    assert one == other
    assert one.hash == other.hash


def test_a_set_finds_policies_by_name_and_refuses_two_of_one_name() -> None:
    policies = PolicySet((BASE,))
    assert "base" in policies
    assert "other" not in policies
    assert policies.get("base") is BASE
    assert policies.get("other") is None
    assert len(policies) == 1
    with pytest.raises(ValueError, match="same name"):
        PolicySet((BASE, replace(BASE, texts=())))


def test_a_set_cannot_be_changed_and_can_be_sent_to_another_process() -> None:
    policies = PolicySet((BASE,), (Path("base.yaml"),))
    with pytest.raises(FrozenInstanceError):
        policies.policies = ()  # type: ignore[misc]
    copy = pickle.loads(pickle.dumps(policies))
    assert copy == policies
    assert copy.files == policies.files
    assert copy.in_force(None, "m", TODAY) == policies.policies


@pytest.mark.parametrize(
    ("applies_to", "key", "model", "bound"),
    [
        (AppliesTo(), None, "gemma", True),
        (AppliesTo(), "team-a", "gemma", True),
        (AppliesTo(models=("gemma*",)), None, "gemma-3", True),
        (AppliesTo(models=("gemma*",)), None, "Gemma-3", False),
        (AppliesTo(models=("llama", "gemma")), None, "gemma", True),
        (AppliesTo(models=("google/*",)), None, "google/gemma/3", True),
        (AppliesTo(keys=("team-*",)), "team-a", "gemma", True),
        (AppliesTo(keys=("team-*",)), "legal", "gemma", False),
        (AppliesTo(keys=("team-*",)), None, "gemma", False),
        (AppliesTo(except_keys=("legal",)), "legal", "gemma", False),
        (AppliesTo(except_keys=("legal",)), "legal-2", "gemma", True),
        (AppliesTo(except_keys=("?*",)), None, "gemma", True),
        (AppliesTo(keys=("legal",), except_keys=("legal",)), "legal", "gemma", False),
    ],
)
def test_globs_say_whom_a_policy_binds(
    applies_to: AppliesTo, key: str | None, model: str, bound: bool
) -> None:
    policy = replace(BASE, applies_to=applies_to)
    assert PolicySet((policy,)).in_force(key, model, TODAY) == ((policy,) if bound else ())


@pytest.mark.parametrize(
    ("until", "review_by", "expired", "overdue"),
    [
        (None, None, False, False),
        (date(2026, 11, 25), date(2026, 11, 25), False, False),
        (TODAY, TODAY, False, False),
        (date(2026, 11, 23), date(2026, 11, 23), True, True),
        (None, date(2026, 11, 23), False, True),
    ],
)
def test_until_ends_enforcement_and_review_by_does_not(
    until: date | None, review_by: date | None, expired: bool, overdue: bool
) -> None:
    policy = replace(BASE, until=until, review_by=review_by)
    assert (policy.is_expired(TODAY), policy.is_overdue(TODAY)) == (expired, overdue)
    assert bool(PolicySet((policy,)).in_force("k", "m", TODAY)) is not expired


def test_a_policy_drops_out_of_a_running_set_the_day_after_until() -> None:
    policies = PolicySet((replace(BASE, until=TODAY), replace(BASE, name="second", mode="shadow")))
    before = policies.in_force("k", "m", TODAY)
    assert [(policy.name, policy.enforced) for policy in before] == [
        ("base", True),
        ("second", False),
    ]
    after = policies.in_force("k", "m", date(2026, 11, 25))
    assert [policy.name for policy in after] == ["second"]
    assert policies.in_force("k", "m", TODAY) is before
