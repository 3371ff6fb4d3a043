"""One run of a recipe, read as it would have ended under several retain budgets and goals.

What a run costs grows while it goes on, and its budget says only where it ends, and so does the
recall at which what goes counts as forgotten. So one run under the loosest budget and no goal tells
of all: for each, the weights that it would have given out are asked.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import Tensor

from bench.distil_arms import COMMON, OWN, TOKENS, scores
from bench.distil_world import World
from guard.distil.encoding import Encoder
from guard.distil.errors import DistilError
from guard.distil.generation import generate
from guard.distil.loading import load_tokenizer
from guard.distil.recipe import load_recipe
from guard.distil.run import Options, distil
from guard.distil.trainer import Report

SHIPPED = 0.1  # the budget of a policy that gives none
LOOSER = (0.2, 0.3, 0.5)
GOALS = (0.1, 0.0, -0.1)  # recall above what is said of invented people
ENDS: tuple[dict[str, Any], ...] = tuple(
    {**budget, **goal}
    for budget in ({}, *({"train.retain_budget": budget} for budget in LOOSER))
    for goal in ({}, *({"train.until_forgotten": spare} for spare in GOALS))
)
"""Settings that decide nothing but where a run ends: the policies' own budget, then looser ones,
each to the last step within it or until what goes is forgotten."""
_NEVER = -1.0  # a goal that is looked at, and no run comes to


@dataclass(slots=True)
class Trail:
    """Keeps the trained weights of every look, what is retained then, and what is said."""

    losses: list[float] = field(default_factory=list)
    said: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    weights: list[dict[str, Tensor]] = field(default_factory=list)
    model: Any = None

    def __call__(self, report: Report) -> None:
        """One more, where the trainer looked."""
        if report.probe is None or report.said is None:
            return
        self.model = report.model
        self.losses.append(report.probe)
        self.said.append(report.said)
        self.steps.append(report.step)
        trained = ((n, p) for n, p in self.model.named_parameters() if p.requires_grad)
        self.weights.append({name: p.detach().clone() for name, p in trained})

    def back(self, index: int) -> Any:
        """The model as it was at that look."""
        known = dict(self.model.named_parameters())
        for name, weights in self.weights[index].items():
            known[name].data.copy_(weights)
        return self.model


def ended(
    losses: Sequence[float], allowed: float, patience: int, done: Sequence[bool] = ()
) -> int | None:
    """The look whose weights a run gives out: the first within what is allowed at which it is
    done, else the last within it before so many in a row were not; None where there is none."""
    found, over = None, 0
    for index, loss in enumerate(losses):
        over = 0 if loss <= allowed else over + 1
        found = found if over else index
        if over >= patience or (not over and any(done[index : index + 1])):
            break
    return found


def say(model: Any, encoder: Encoder, prompts: Sequence[str]) -> list[str]:
    """Greedy answers, as the result on disk would give them."""
    answers: list[str] = generate(model, encoder, prompts, TOKENS)
    return answers


def read_off(
    name: str, world: World, folder: Path, seed: int, settings: dict[str, Any]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each of `ENDS` with the row that `run_arm` would give for it, all from one run.

    `seconds` are those of the whole run.
    """
    known, trail = folder / "known", Trail()
    loosest = {"train.retain_budget": max(LOOSER), "train.until_forgotten": _NEVER}
    recipe = load_recipe(name, {**COMMON, **OWN.get(name, {}), **settings, **loosest})
    began = time.process_time()
    try:
        with TemporaryDirectory(dir=folder) as made:
            options = Options(known, Path(made) / name, seed, "cpu", trail)
            card = distil(world.policies(), recipe, options)
    except DistilError as error:
        failed = {"claim": str(recipe.claim), "failed": str(error)}
        return [(own, failed) for own in ENDS]
    told = {"claim": card["claim"], "form": card["form"], "seconds": time.process_time() - began}
    start, guessed = card["outcome"]["probe_start"], _guessed(card["outcome"])
    encoder, asked = Encoder(load_tokenizer(known)), dict[int, dict[str, float]]()
    found = []
    for own in ENDS:
        budget = own.get("train.retain_budget", SHIPPED)
        allowed = start + budget * max(start, recipe.train.budget_floor)
        goal = guessed + own.get("train.until_forgotten", -math.inf)
        done = [said <= goal for said in trail.said]
        index = ended(trail.losses, allowed, recipe.train.patience, done)
        if index is None:
            found.append((own, {"claim": card["claim"], "failed": "no look within the budget"}))
            continue
        if index not in asked:
            asked[index] = scores(world, partial(say, trail.back(index), encoder))
        found.append((own, {**told, **asked[index], "kept_step": trail.steps[index]}))
    return found


def _guessed(outcome: dict[str, Any]) -> float:
    """What is said of invented people; `continual` asks at each request, and this has one."""
    (found,) = [one["guessed"] for one in outcome.get("requests", [outcome])]
    return float(found)
