"""Recipes: shipped ones, overrides, and every way to get one wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from guard.distil.errors import DistilError
from guard.distil.listing import listing
from guard.distil.part import Axis, Claim
from guard.distil.recipe import load_recipe, read_recipe, shipped_recipes
from guard.distil.registry import as_values, build, choices


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_read_and_write_the_same(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name and recipe.description
    assert read_recipe(yaml.safe_load(yaml.safe_dump(_plain(recipe.as_dict())))) == recipe


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("axis", Axis)
def test_every_choice_has_defaults_and_a_summary(axis: Axis) -> None:
    for name, part in choices(axis).items():
        built = build(axis, {"method": name})
        assert build(axis, as_values(built)).config == built.config
        assert part.about.summary.endswith((".", ";"))


def test_every_forget_objective_says_what_it_claims() -> None:
    assert all(part.about.claim for part in choices(Axis.FORGET).values())
    assert all(part.about.source for part in choices(Axis.FORGET).values())
    assert load_recipe("in-context").claim is Claim.TAGGED
    assert load_recipe("rmu").claim is Claim.REPRESENTATION


@pytest.mark.parametrize(
    ("key", "value", "axis", "expected"),
    [
        ("forget.beta", 0.2, "forget", {"method": "npo", "beta": 0.2}),
        ("forget", "idk", "forget", {"method": "idk"}),
        ("forget.method", "simnpo", "forget", {"method": "simnpo", "beta": 2.5, "gamma": 0.0}),
        ("combine.retain", 3, "combine", {"method": "weighted_sum", "forget": 1.0, "retain": 3.0}),
        ("parameters", "full", "parameters", {"method": "full"}),
    ],
)
def test_overrides(key: str, value: Any, axis: str, expected: dict[str, Any]) -> None:
    assert load_recipe("npo-kl", {key: value}).axes[axis] == expected


def test_a_number_that_yaml_takes_for_text_is_a_number() -> None:
    assert load_recipe("npo-kl", {"train.lr": "1e-4"}).train.lr == 1e-4


def test_rates_are_of_what_is_trained_and_an_override_is_taken_as_it_is() -> None:
    assert load_recipe("npo-kl").train.lr == 1e-4
    assert load_recipe("npo-kl", {"parameters": "full"}).train.lr == 1e-5
    assert load_recipe("rmu").train.lr == 5e-5, "the recipe's own"
    assert load_recipe("npo-kl").train.scale_lr
    given = load_recipe("npo-kl", {"train.lr": 1e-3})
    assert (given.train.lr, given.train.scale_lr) == (1e-3, False)
    both = load_recipe("npo-kl", {"train.lr": 1e-3, "train.scale_lr": True})
    assert both.train.scale_lr


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"forget.betta": 1}, r"forget\.betta: unknown key; did you mean beta\?"),
        ({"forget": "npoo"}, r"there is no 'npoo'; did you mean npo\?"),
        ({"forget.beta": 0}, r"forget\.beta"),
        ({"forget.beta": "much"}, r"forget\.beta"),
        ({"train.lr": -1}, r"train\.lr"),
        ({"train.schedule": "steep"}, r"train\.schedule"),
        ({"trian.lr": 1}, r"trian\.lr: unknown key"),
    ],
)
def test_wrong_overrides_are_named(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(DistilError, match=message):
        load_recipe("npo-kl", overrides)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("forget: npo\nfogret: npo\n", "unknown key"),
        ("retain: kl\n", "needs `forget`"),
        ("- forget\n", "must be a mapping"),
        ("forget: {beta: 1}\n", "give the `method`"),
        ("forget: [npo]\n", "must be a mapping"),
        ("forget: {\n", "cannot be read"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content, "utf-8")
    with pytest.raises(DistilError, match=message):
        load_recipe(str(path))


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(DistilError, match="npo-kl"):
        load_recipe("npo-kll")


def test_the_list_holds_every_choice() -> None:
    found = listing()
    assert [recipe["name"] for recipe in found["recipes"]] == list(shipped_recipes())
    for axis in Axis:
        assert [part["name"] for part in found["axes"][str(axis)]] == list(choices(axis))
