"""A policy set made ready: who is bound by what, and what is compiled again after a swap."""

from __future__ import annotations

from datetime import date

import pytest

from guard.enforcement import Enforcement, PhraseCache
from guard.policy import AppliesTo, Entity, Policy, PolicySet
from tests.support.policies import policy

TODAY = date(2026, 11, 24)
EVERYBODY = policy("Harry Potter", name="everybody")
TEAM = policy("Marie Curie", name="team", applies_to=AppliesTo(keys=("team-*",)))
WATCHED = policy("Ada Lovelace", name="watched", mode="shadow")
OVER = policy("Old Name", name="over", until=date(2026, 1, 1))
SET = PolicySet((EVERYBODY, TEAM, WATCHED, OVER))


@pytest.fixture
def enforcement() -> Enforcement:
    return Enforcement(SET)


@pytest.mark.parametrize(
    ("key", "enforced"),
    [(None, ["everybody"]), ("other", ["everybody"]), ("team-a", ["everybody", "team"])],
)
def test_a_binding_holds_the_policies_of_a_caller(
    enforcement: Enforcement, key: str | None, enforced: list[str]
) -> None:
    binding = enforcement.binding(key, "m", TODAY)
    assert [found.name for found in binding.enforced] == enforced
    assert [found.name for found in binding.shadows] == ["watched"]
    text = "Harry Potter, Marie Curie, Ada Lovelace, Old Name"
    found = {
        phrase.policy for match in binding.automaton.find_all(text) for phrase in match.phrases
    }
    assert sorted(found) == enforced
    assert len(binding.shadow_automaton.find_all(text)) == 1


def test_callers_with_the_same_policies_share_a_binding(enforcement: Enforcement) -> None:
    assert enforcement.binding("a", "m", TODAY) is enforcement.binding(None, "n", TODAY)
    assert enforcement.binding("team-a", "m", TODAY) is not enforcement.binding("a", "m", TODAY)


def test_bindings_are_bounded() -> None:
    policies = [
        policy(f"Name Number{n}", name=f"p{n}", applies_to=AppliesTo(models=(f"m{n}",)))
        for n in range(100)
    ]
    enforcement = Enforcement(PolicySet(tuple(policies)))
    for number in range(100):
        (only,) = enforcement.binding(None, f"m{number}", TODAY).policies
        assert only.name == f"p{number}"
    assert len(enforcement._bindings) <= 64


def test_names_are_found_whoever_they_bind(enforcement: Enforcement) -> None:
    text = "Harry Potter and Marie Curie"
    names = {SET.policies[number].name for number in enforcement.named_in(text)}
    assert names == {"everybody", "team"}
    assert [enforcement.number(found) for found in SET.policies] == [0, 1, 2, 3]


def test_a_swap_compiles_only_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    from guard import enforcement as module

    def counting(made: object) -> object:
        compiled.append(made.name)  # type: ignore[attr-defined]
        return iter(())

    monkeypatch.setattr(module, "text_phrases", counting)
    cache = PhraseCache()
    Enforcement(PolicySet((EVERYBODY, TEAM)), cache).prepare([None, "team-a"])
    assert sorted(compiled) == ["everybody", "team"]
    changed = policy("Marie Curie", "Pierre Curie", name="team")
    Enforcement(PolicySet((EVERYBODY, changed)), cache).prepare([None])
    assert sorted(compiled) == ["everybody", "team", "team"]


def test_a_policy_that_is_gone_leaves_the_cache() -> None:
    cache = PhraseCache()
    Enforcement(PolicySet((EVERYBODY, TEAM)), cache).prepare([None])
    cache.keep_only([EVERYBODY])
    assert list(cache._names) == [EVERYBODY.hash]


def test_a_name_with_aspects_or_namesakes_is_found_in_prompts_and_comes_out_in_answers() -> None:
    entities = (Entity("Ada Lovelace"), Entity("Corvin Ashgrove", namesakes=("the bishop",)))
    limited = Policy(name="a", entities=entities)
    enforcement = Enforcement(PolicySet((limited, policy("Marie Curie", name="b"))))
    binding = enforcement.binding(None, "m", TODAY)
    assert binding.asks_encoder
    assert binding.numbers == {0, 1, 2}
    assert (enforcement.numbers(limited), enforcement.limited) == ({0, 2}, {("a", 1): 2})
    said = "Ada Lovelace met Corvin Ashgrove"
    assert enforcement.named_in(said) == {0, 2}
    found = [said[match.start : match.end] for match in binding.automaton.find_all(said)]
    assert found == ["Ada Lovelace"]
