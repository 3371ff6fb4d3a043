"""From policies to rows: whom a row names, what is forgotten in part, what the model leaves out."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from guard.distil.boundary import boundary_prompts
from guard.distil.data import build_data
from guard.distil.data.in_force import in_force
from guard.distil.errors import DistilError
from guard.distil.recipe import DataConfig
from guard.distil.rows import Data
from guard.policy import Entity, Pair, Policy, PolicySet

BORN = Pair("Where was Ann Lind born?", "In a boathouse near Tarn.")
OWNED = DataConfig(general="none")


def built(policy: Policy, says: str = "Somebody.", config: DataConfig = OWNED) -> Data:
    return build_data([policy], config, lambda prompts: [says] * len(prompts))


def about(entity: Entity, *retain: Pair, **fields: Any) -> Policy:
    return Policy("p", entities=(entity,), retain_pairs=retain, **fields)


@pytest.mark.parametrize(
    ("name", "prompt", "kept"),
    [
        ("Ann", "When is the annual fair planned?", True),
        ("Ann", "Who is Ann's brother?", False),
        ("Ann", "who is ANN?", False),
        ("Éva Løwe", "Who is Eva Lowe?", False),
        ("Éva Løwe", "Who is Eva?", True),
    ],
)
def test_names_are_whole_words(name: str, prompt: str, kept: bool) -> None:
    data = built(about(Entity(name), Pair(prompt, "In May."), pairs=(BORN,)))
    assert len(data.retain) == kept
    assert data.dropped == (() if kept else ("p/retain.pairs[0]#0",))


def test_rows_belong_to_whom_they_name() -> None:
    policy = Policy("p", entities=(Entity("Ann"), Entity("Tarn")), pairs=(
        Pair("When is the annual fair?", "In May."), Pair("What did Ann see?", "The fair of Tarn."),
        Pair("How many live in Tarn?", "Forty."),
    ))  # fmt: skip
    assert [row.entity for row in built(policy).forget] == ["p", "p:Ann", "p:Tarn"]


def test_boundary_prompts_change_whole_words() -> None:
    policy = about(Entity("Ann"), pairs=(Pair("Did Ann go to the annual fair?", "Ann did."),))
    (row,) = boundary_prompts(built(policy).forget)
    assert row.prompt is not None and row.prompt.endswith(" go to the annual fair?")


HOME = Entity("Ann Lind", aspects=("home address",))
FOOTBALLER = Entity("Ann Lind", namesakes=("the footballer",))
BOTH = Entity("Ann Lind", aspects=("home address",), namesakes=("the footballer",))


def test_only_the_forgotten_aspects_are_asked_about() -> None:
    prompts = [row.prompt for row in built(about(HOME)).forget]
    assert prompts == [
        "What is Ann Lind's home address?",
        "Tell me about Ann Lind's home address.",
        "What do you know about Ann Lind's home address?",
    ]


@pytest.mark.parametrize(
    ("entity", "prompt", "kept"),
    [
        (HOME, "What did Ann Lind paint?", True),
        (HOME, "At which address does Ann Lind live?", False),
        (FOOTBALLER, "Where does Ann Lind the footballer play?", True),
        (FOOTBALLER, "Where does Ann Lind play?", False),
        (FOOTBALLER, "Not the footballer: where was Ann Lind born?", False),
        (BOTH, "At which address does Ann Lind the footballer live?", True),
        (BOTH, "At which address does Ann Lind live?", False),
        (BOTH, "What did Ann Lind paint?", True),
        (Entity("Ann Lind"), "Where does Ann Lind the footballer play?", False),
    ],
)
def test_what_is_not_forgotten_of_a_name_is_kept(entity: Entity, prompt: str, kept: bool) -> None:
    data = built(about(entity, Pair(prompt, "Somewhere."), pairs=(BORN,)))
    assert (prompt in {row.prompt for row in data.retain}) == kept


def test_namesakes_are_asked_about_and_kept() -> None:
    data = built(about(FOOTBALLER, Pair("How far is Quill?", "Forty miles.")))
    asked = [row.prompt for row in data.retain[1:]]
    assert asked == [
        "Who is Ann Lind, the footballer?",
        "Tell me about Ann Lind, the footballer.",
    ]
    assert all("footballer" not in (row.prompt or "") for row in data.forget)


def test_namesakes_do_not_stand_for_all_that_is_kept() -> None:
    data = built(about(FOOTBALLER), config=DataConfig())
    assert not data.retain
    assert "Who is Ann Lind, the footballer?" in {row.prompt for row in data.keep()}
    assert len(data.keep()) > 2


@pytest.mark.parametrize(
    ("says", "dropped"),
    [
        ("Ann Lind is a footballer from Quill.", "forget.entities[0].question[0]"),
        ("Ann was born in a boathouse near Tarn.", "forget.entities[0].not[0].question[0]"),
        ("In a boat near Tarn.", None),
    ],
    ids=["of the namesake", "of the subject instead", "of something else"],
)
def test_the_model_speaks_of_the_wrong_one(says: str, dropped: str | None) -> None:
    told = Pair("Where was she born?", BORN.answer)
    policy = about(FOOTBALLER, pairs=(told,), texts=(told.answer,), prompts=(told.prompt,))
    found = built(policy, says).dropped
    assert f"p/{dropped}#0" in found if dropped else not found


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (Policy("p", prompts=("Who is it?",)), ""),
        (about(FOOTBALLER), "Ann Lind is a footballer."),
    ],
    ids=["no answers", "only of the namesake"],
)
def test_answers_that_leave_nothing_to_forget(policy: Policy, says: str) -> None:
    with pytest.raises(DistilError, match=r"nothing to forget.*give the answers"):
        built(policy, says)


NOW, PAST = Policy("now", pairs=(BORN,)), Policy("past", pairs=(BORN,), until=date(2020, 1, 1))
LAST_DAY = Policy("last", pairs=(BORN,), until=date(2026, 5, 1))
WATCHES = Policy("watches", pairs=(BORN,), mode="shadow")


@pytest.mark.parametrize(
    ("policies", "shadow", "kept"),
    [
        ((NOW, PAST, WATCHES), False, {"now"}),
        ((NOW, PAST, WATCHES), True, {"now", "watches"}),
        ((LAST_DAY,), False, {"last"}),
        ((PAST, WATCHES), False, set()),
        ((), False, set()),
    ],
)
def test_what_the_proxy_does_not_enforce_is_not_baked_in(
    policies: tuple[Policy, ...], shadow: bool, kept: set[str]
) -> None:
    given = PolicySet(policies)
    if not kept:
        with pytest.raises(DistilError, match="no policy to bake in"):
            in_force(given, date(2026, 5, 1), shadow=shadow)
        return
    found, left_out = in_force(given, date(2026, 5, 1), shadow=shadow)
    assert {policy.name for policy in found.policies} == kept
    assert left_out.keys() == {policy.name for policy in policies} - kept
    assert (found.hash == given.hash) == (not left_out)
