"""What all procedures say of themselves."""

from __future__ import annotations

from guard.distil.part import Axis
from guard.distil.recipe import load_recipe, shipped_recipes
from guard.distil.registry import choices


def test_runtime_results_say_so() -> None:
    runtime = {name for name, kind in choices(Axis.PROCEDURE).items() if kind.form == "runtime"}  # type: ignore[attr-defined]
    assert runtime == {"uld", "dsg"}
    for name in shipped_recipes():
        recipe = load_recipe(name)
        assert (recipe.claim == "runtime") == (recipe.axes["procedure"]["method"] in runtime)
