"""What `guard distil` makes of the tiny model: weights that forget, as ways among others."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guard.demo.cache import cache_dir, made_once
from guard.evaluate.fictional import Corpus, forget_policy
from guard.evaluate.rows import content_hash

Step = Callable[[str, int, int], None]

ADAPTER = "adapter"
_KEEPS = 2  # every so manyth of the people and towns to be kept is told to `guard distil`
# Recipes' own rates are for models a thousand times as large, which lose less at the first steps:
# 120 steps, and no end before the retain loss has come down again.
_TRAIN: Mapping[str, Any] = {"train.lr": 1e-3, "train.epochs": 12, "train.retain_budget": 9.0}


@dataclass(frozen=True, slots=True)
class Distilled:
    """A shipped recipe with what a model of 1 M weights needs in place of its own settings."""

    recipe: str
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """For people who read a report."""
        return f"guard distil, recipe {self.recipe}, as an adapter"


DISTILLED: tuple[Distilled, ...] = (
    Distilled("npo-ce"),
    Distilled("simnpo"),
    Distilled("idk"),
)


def tiny_adapter(corpus: Corpus, model: Path, way: Distilled, step: Step | None = None) -> Path:
    """Folder of the PEFT adapter for `model`, made at the first call (a minute).

    Raises `DistilError` where the recipe ends without a result.
    """
    from guard.distil.recipe import load_recipe

    recipe = load_recipe(way.recipe, {**_TRAIN, **way.overrides})
    key = content_hash([model.name, recipe.as_dict(), list(corpus.kept(_KEEPS)), corpus.seed])
    name = f"{model.name}-{way.recipe}"

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            policies = Path(scratch)
            forget_policy(policies, corpus, keep=corpus.kept(_KEEPS))
            _distil(policies, model, recipe, folder / ADAPTER, corpus.seed, step)

    return made_once(cache_dir() / "models" / name, key, make) / ADAPTER


def _distil(
    policies: Path, model: Path, recipe: Any, out: Path, seed: int, step: Step | None
) -> None:
    from guard.distil.run import Options, distil
    from guard.distil.trainer import Report
    from guard.policy import load_policy_set

    def report(found: Report) -> None:
        if step is not None:
            step(f"distilling: {recipe.name}", found.step, found.total)

    distil(load_policy_set(policies), recipe, Options(model, out, seed, "cpu", report))
