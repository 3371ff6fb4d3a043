"""How strongly each recipe is run in `bench.distil`, chosen on worlds that are reported nowhere.

    python -m bench.distil_rates     # hours; writes bench/results/distil_rates.json

The shipped rates are those of the papers' models, stretched by width; a Llama of four million
parameters wants others, and so it does of what weighs forgetting against keeping. Each recipe is
run on the worlds of `CALIBRATIONS` as `RUNS` says, one run after another until it meets both bounds
on all of them with something to spare, and each run is read at several retain budgets and goals.
What is farthest within the bounds on the world where it does worst is taken, of equals what is
farthest on all, and of these the one that its goal ends and not its budget.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.distil_arms import run_arm, scores, speaker
from bench.distil_budgets import ENDS, SHIPPED, read_off
from bench.distil_world import CALIBRATIONS, World, prepared
from bench.machine import machine
from guard.distil.recipe import load_recipe, shipped_recipes

RATES = Path(__file__).parent / "results" / "distil_rates.json"
KEPT = 0.8  # of what was never shown, where the model knew all of it
SLACK = 0.1  # above the reference: what counts as forgotten
SPARE = 0.05  # within both bounds by so much: nothing else is tried
Choice = tuple[float, dict[str, Any]]  # multiple of the rate, settings
PLAIN: tuple[Choice, ...] = ((1.0, {}), (3.0, {}), (10.0, {}))
# Nothing is trained, looks do not end the run, or what is asked is not the model in training.
WHOLE = ("dsg", "in-context", "pga", "ssd", "uld")
ONCE: tuple[Choice, ...] = PLAIN[:1]
_ALPHAS = [round(1 + step / 10, 1) for step in range(16)]
_DIVERGENCES = ("kl", "pearson", "jeffrey")
# Much is forgotten and lost between two looks, so these are looked at more often, and may be past
# the budget for as many steps as the others.
CLOSELY = {"train.check_every": 2, "train.patience": 12}
RUNS: dict[str, Sequence[Choice]] = {
    "continual": ONCE,
    **dict.fromkeys(
        ("grad-ascent", "grad-diff", "grad-diff-cyclic", "guard-attribution", "npo-ce", "npo-kl"),
        ((1.0, CLOSELY),),
    ),
    # At less than its own rate nothing changes. A model that never refuses has no slope toward it.
    "flat": [(1.0, CLOSELY), *((1.0, {"forget.divergence": d, **CLOSELY}) for d in _DIVERGENCES)],
    # At its own rate what is kept goes before what is to go.
    "fit": [(0.3, CLOSELY), (0.2, CLOSELY)],
    # In as many steps as the others get, a subject in few layers is hardly touched at less.
    "kuda-layers": [(20.0, CLOSELY), (30.0, CLOSELY)],
    "reglu": [(0.5, CLOSELY), (0.3, CLOSELY)],
    "logit-margin": [(0.3, {})],
    # Its own bound follows from the budget, which is no part of how it forgets here.
    "constrained-entropic": [(0.3, {"combine.bound": 0.05, **CLOSELY})],
    "dpo": [(1.0, CLOSELY)],
    "idk": [(1.0, CLOSELY), (2.0, CLOSELY)],
    "sparse": [(2.0, {})],
    # Its lasso is for transformers of vision, many times as wide.
    "gs-lora": [
        (factor, {"parameters.group": group, **CLOSELY})
        for factor, group in ((3.0, 1e-3), (2.0, 1e-3), (3.0, 3e-4))
    ],
    # This model has never read the general rows that ship; its own answers cost it less to keep.
    "melu": [(factor, {"data.general": "model", **CLOSELY}) for factor in (3.0, 2.0)],
    # Hidden states of a narrow model that stray cost it a hundred times what forgetting earns.
    "gere": [
        (factor, {"retain.weight": weight, **CLOSELY})
        for factor, weight in ((3.0, 1.0), (2.0, 1.0), (3.0, 3.0), (3.0, 10.0))
    ],
    # Nobody is refused by chance: all the prompts have to be shown refused first.
    "rule": [(100.0, {"procedure.steer_share": 1.0, "procedure.steer_epochs": 10})],
    "uld": [(1.0, {"procedure.weight": -2.0}), (1.0, {"procedure.weight": -5.0})],
    # Beside general rows, which it has never read, hardly a weight stands out.
    "ssd": [
        (1.0, {"data.general": "none", "procedure.alphas": _ALPHAS, **strength, **budget})
        for strength in ({}, {"procedure.strength": 0.3})
        for budget in ({"train.retain_budget": b} for b in (0.1, 0.2, 0.3, 0.5))
    ],
    "dsg": ONCE,
    # Plain gradient steps on a loss of next to nothing: none of any length, and then all at once.
    "ofmu": [
        (1000.0, {"procedure.inner_lr": inner, **CLOSELY, "train.check_every": 1})
        for inner in (0.1, 0.07)
    ],
}
"""What is tried of each recipe, each read at all of `ENDS`; `PLAIN` for the others."""


def rate(name: str, factor: float) -> dict[str, Any]:
    """Overrides that multiply the recipe's rate, still stretched by the model's width."""
    return {"train.lr": load_recipe(name).train.lr * factor, "train.scale_lr": True}


def said(row: dict[str, Any]) -> float:
    """Recall of what goes, where the method claims that it goes: under the tag, if it has one."""
    return float(row.get("tagged", row["forget"]))


def stays(row: dict[str, Any]) -> float:
    """The least recall of what was never shown, of one with a tag also under a stranger's."""
    return float(min(row["hidden"], row.get("distractor", 1.0)))


def within(row: dict[str, Any]) -> float:
    """How far within both bounds a run came, below 0 where it missed one; -1 where it failed.

    Under a tag all of it may be gone already without a word said of it: then "forgot" counts too.
    """
    if "failed" in row:
        return -1.0
    told = row.get("tagged_forgot", 1.0)
    return min(row["reference"] + SLACK - said(row), stays(row) - KEPT, float(told) - 0.9 + SPARE)


def worst(rows: Sequence[dict[str, Any]]) -> dict[tuple[float, str], float]:
    """By choice, its settings as JSON, how far within the bounds it came on the world where it did
    worst. One that was not run on a world stands behind all that were run on more."""
    found: dict[tuple[float, str], list[float]] = {}
    for row in rows:
        choice = row["factor"], json.dumps(row["own"], sort_keys=True)
        found.setdefault(choice, []).append(within(row))
    return {
        choice: min(values) - (len(CALIBRATIONS) - len(values)) for choice, values in found.items()
    }


def best(rows: Sequence[dict[str, Any]]) -> tuple[float, str]:
    """The choice to take of one recipe's rows: of those that did best on their worst world the one
    that did best on all, of these the one whose goal ends it and not its budget, and of these the
    first."""
    found = worst(rows)

    def rank(choice: tuple[float, str]) -> tuple[float, float, float]:
        own = [r for r in rows if (r["factor"], json.dumps(r["own"], sort_keys=True)) == choice]
        settings = json.loads(choice[1])
        budget = settings.get("train.retain_budget", SHIPPED)
        aims = "train.until_forgotten" in settings
        return found[choice], sum(map(within, own)), float(budget) if aims else 0.0

    return max(found, key=rank)


def chosen() -> dict[str, dict[str, Any]]:
    """The overrides that were chosen, by recipe; none for one that nobody calibrated."""
    if not RATES.exists():
        return {}
    found = json.loads(RATES.read_text("utf-8"))["chosen"]
    return {name: {**rate(name, one["factor"]), **one["own"]} for name, one in found.items()}


def main() -> None:
    """Runs what is not there yet and writes the JSON after each run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recipes", nargs="*", default=list(shipped_recipes()))
    parser.add_argument("--models", type=Path, default=Path("distil-models"))
    parser.add_argument("--out", type=Path, default=RATES)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    if options.out.exists():
        rows = json.loads(options.out.read_text("utf-8"))["rows"]
    worlds = {seed: prepared(seed, options.models) for seed in CALIBRATIONS}
    references = {
        seed: scores(world, speaker(folder / "reference"))["forget"]
        for seed, (world, folder) in worlds.items()
    }
    for name in options.recipes:
        for choice in RUNS.get(name, PLAIN):
            own_rows = [row for row in rows if row["recipe"] == name]
            if max(worst(own_rows).values(), default=-1.0) >= SPARE:
                break
            for seed, place in worlds.items():
                found = known(own_rows, choice, seed)
                if not found:
                    told = {"recipe": name, "seed": seed, "reference": references[seed]}
                    found = [{**told, **row} for row in run(name, place, seed, choice)]
                    settings = [row["own"] for row in found]
                    rows = [r for r in rows if not _replaced(r, name, seed, choice[0], settings)]
                    rows += found
                    print(*map(json.dumps, found), sep="\n", flush=True)
                    write(options.out, rows)
                if max(map(within, found)) < -SPARE:
                    break  # the other worlds cannot make it good


def known(rows: Sequence[dict[str, Any]], choice: Choice, seed: int) -> list[dict[str, Any]]:
    """The rows of that run on that world, if they are all there."""
    factor, own = choice
    readings = [{**own, **end} for end in ENDS]
    here = [r for r in rows if (r["seed"], r["factor"]) == (seed, factor)]
    if any(r["recipe"] in WHOLE for r in here):
        return [r for r in here if r["own"] == own]
    found = [r for r in here if r["own"] in readings]
    return found if len(found) == len(readings) else []


def run(name: str, place: tuple[World, Path], seed: int, choice: Choice) -> list[dict[str, Any]]:
    """One run, a row for each way to read it."""
    factor, own = choice
    settings = {**rate(name, factor), **own}
    if name in WHOLE:
        row = run_arm(name, *place, seed, settings)
        row.pop("points")
        return [{"factor": factor, "own": own, **row}]
    read = read_off(name, *place, seed, settings)
    return [{"factor": factor, "own": {**own, **budget}, **row} for budget, row in read]


def _replaced(
    row: dict[str, Any], name: str, seed: int, factor: float, settings: Sequence[dict[str, Any]]
) -> bool:
    """Whether that run has been run again."""
    same = (row["recipe"], row["seed"], row["factor"]) == (name, seed, factor)
    return same and row["own"] in settings


def write(out: Path, rows: Sequence[dict[str, Any]]) -> None:
    """All rows, a line each, and of each recipe the choice."""
    of = {name: [row for row in rows if row["recipe"] == name] for name in shipped_recipes()}
    taken = {name: best(found) for name, found in of.items() if found}
    result = {
        "machine": machine(),
        "chosen": {
            name: {"factor": factor, "own": json.loads(own)}
            for name, (factor, own) in taken.items()
        },
        "rows": [],
    }
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    text = json.dumps(result, indent=1).removesuffix("[]\n}")
    out.write_text(f"{text}[\n{lines}\n ]\n}}\n", "utf-8")


if __name__ == "__main__":
    main()
