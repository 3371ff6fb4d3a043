"""What `guard distil --list` prints: recipes, and every choice with its settings."""

from __future__ import annotations

import dataclasses
from typing import Any

from guard.distil.part import Axis
from guard.distil.recipe import load_recipe, shipped_recipes
from guard.distil.registry import choices


def listing() -> dict[str, Any]:
    """Plain values, ready for JSON."""
    return {"recipes": [_recipe(name) for name in shipped_recipes()], "axes": _axes()}


def _recipe(name: str) -> dict[str, Any]:
    recipe = load_recipe(name)
    return {**recipe.as_dict(), "claim": str(recipe.claim), "sources": list(recipe.sources)}


def _axes() -> dict[str, list[dict[str, Any]]]:
    return {
        str(axis): [
            {
                "name": name,
                "summary": part.about.summary,
                "source": part.about.source,
                "faithful": part.about.faithful,
                "claim": None if part.about.claim is None else str(part.about.claim),
                "needs": sorted(part.about.needs),
                "settings": dataclasses.asdict(part.Config()),
            }
            for name, part in choices(axis).items()
        ]
        for axis in Axis
    }
