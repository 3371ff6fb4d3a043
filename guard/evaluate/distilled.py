"""What `guard distil` makes of the model that is compared on: weights that forget, as ways."""

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


@dataclass(frozen=True, slots=True)
class Distilled:
    """A shipped recipe with what the compared model needs in place of its own settings.

    `device`: "auto" or "cpu". It and the precision are the same in all of one process.
    """

    recipe: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"


# Recipes' own rates are for models a thousand times as large, which lose less at the first steps:
# 120 steps, and no end before the retain loss has come down again.
_TINY: Mapping[str, Any] = {"train.lr": 1e-3, "train.epochs": 12, "train.retain_budget": 9.0}
FOR_TINY = tuple(Distilled(recipe, _TINY) for recipe in ("npo-ce", "simnpo", "idk"))
# A third of a recipe's usual steps at twice its rate, so that a processor gets through.
_TAUGHT: Mapping[str, Any] = {
    "train.lr": 2e-4,
    "train.max_steps": 40,
    "train.precision": "bf16",
    "train.retain_budget": 1.0,
}
FOR_TAUGHT = tuple(Distilled(recipe, _TAUGHT, "auto") for recipe in ("npo-ce", "idk"))


def adapter_of(corpus: Corpus, model: Path, way: Distilled, step: Step | None = None) -> Path:
    """Folder of the PEFT adapter for `model`, made at the first call.

    Raises `DistilError` where the recipe ends without a result.
    """
    from guard.distil.recipe import load_recipe

    recipe = load_recipe(way.recipe, dict(way.overrides))
    key = content_hash([model.name, recipe.as_dict(), list(corpus.kept(_KEEPS)), corpus.seed])
    name = f"{model.name}-{way.recipe}"

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            policies = Path(scratch)
            forget_policy(policies, corpus, keep=corpus.kept(_KEEPS))
            _distil(policies, model, recipe, folder / ADAPTER, corpus.seed, way.device, step)

    return made_once(cache_dir() / "models" / name, key, make) / ADAPTER


def _distil(
    policies: Path,
    model: Path,
    recipe: Any,
    out: Path,
    seed: int,
    device: str,
    step: Step | None,
) -> None:
    from guard.distil.run import Options, distil
    from guard.distil.trainer import Report
    from guard.policy import load_policy_set

    def report(found: Report) -> None:
        if step is not None:
            step(f"distilling: {recipe.name}", found.step, found.total)

    distil(load_policy_set(policies), recipe, Options(model, out, seed, device, report))
