"""How strongly each recipe is run in `bench.distil`, chosen on worlds that are reported nowhere.

    python -m bench.distil_rates     # about two hours; writes bench/results/distil_rates.json

The shipped rates are those of the papers' models, stretched by width; a Llama of four million
parameters wants others, and so it does of what weighs forgetting against keeping. Each recipe is
run on the worlds of `CALIBRATIONS` with its own settings, then at multiples of its rate, then with
the settings of `STRENGTHS`, until it meets both bounds on all of them with something to spare. The
run that is farthest within them where it does worst is taken.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.distil_arms import run_arm, scores, speaker
from bench.distil_world import CALIBRATIONS, World, prepared
from bench.machine import machine
from guard.distil.recipe import load_recipe, shipped_recipes

RATES = Path(__file__).parent / "results" / "distil_rates.json"
FACTORS = (1.0, 3.0, 10.0)
KEPT = 0.8  # of what was never shown, where the model knew all of it
SLACK = 0.1  # above the reference: what counts as forgotten
SPARE = 0.05  # within both bounds by so much: nothing else is tried
ONCE = (
    "dsg",
    "ssd",
    "ofmu",
)  # nothing is trained, or the steps that forget have a rate of their own
LOOSER: dict[str, Any] = {"train.retain_budget": 0.2, "train.patience": 24}  # looks: all of them
STRENGTHS: dict[str, Sequence[tuple[float, dict[str, Any]]]] = {
    # Its lasso is for transformers of vision, many times as wide.
    "gs-lora": [(3.0, {"parameters.group": 1e-3}), (3.0, {"parameters.group": 1e-3, **LOOSER})],
    # Hidden states of a narrow model that stray cost it a hundred times what forgetting earns.
    "gere": [(1.0, {"retain.weight": 1.0}), (1.0, {"retain.weight": 1.0, **LOOSER})],
    # Nobody is refused by chance: all the prompts have to be shown refused first.
    "rule": [(100.0, {"procedure.steer_share": 1.0, "procedure.steer_epochs": 10})],
    "logit-margin": [(0.3, LOOSER), (0.1, LOOSER)],
    "fit": [(0.3, LOOSER), (0.1, LOOSER)],
    "uld": [(1.0, {"procedure.weight": -2.0}), (1.0, {"procedure.weight": -5.0})],
    "ssd": [(1.0, {"procedure.alphas": [5.0], "train.retain_budget": 0.2})],
    "dsg": [(1.0, {"train.retain_budget": 0.2})],
    "idk": [(2.0, {}), (1.0, LOOSER)],
}
"""(multiple of the rate, settings); for the others `LOOSER` at the rate that did best."""


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


Choice = tuple[float, str]  # multiple of the rate, settings as JSON


def worst(rows: Sequence[dict[str, Any]]) -> dict[Choice, float]:
    """By choice, how far within the bounds it came on the world where it did worst; as one that was
    not run on all of them may do on the others, no more than just outside."""
    found: dict[Choice, list[float]] = {}
    for row in rows:
        choice = row["factor"], json.dumps(row["own"], sort_keys=True)
        found.setdefault(choice, []).append(within(row))
    return {
        choice: min(values if len(values) == len(CALIBRATIONS) else [*values, -SPARE])
        for choice, values in found.items()
    }


def best(rows: Sequence[dict[str, Any]]) -> Choice:
    """The choice to take of one recipe's rows: the first of those that did best."""
    found = worst(rows)
    return max(found, key=lambda choice: found[choice])


def choices(name: str, rows: list[dict[str, Any]]) -> Iterator[tuple[float, dict[str, Any]]]:
    """What is tried, one after another, until something is well within; `rows` grows meanwhile."""
    factors = FACTORS[:1] if name in ONCE else FACTORS
    plain: list[tuple[float, dict[str, Any]]] = [(factor, {}) for factor in factors]
    for one in [*plain, *STRENGTHS.get(name, ())]:
        if max(worst(rows).values(), default=-1.0) < SPARE:
            yield one
    if name not in STRENGTHS and name not in ONCE and max(worst(rows).values()) < SPARE:
        yield best(rows)[0], LOOSER


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
        own_rows = [row for row in rows if row["recipe"] == name]
        for choice in choices(name, own_rows):
            for seed, place in worlds.items():
                row = known(own_rows, choice, seed)
                if row is None:
                    told = {"recipe": name, "seed": seed, "reference": references[seed]}
                    row = {**told, **run(name, place, seed, choice)}
                    rows.append(row)
                    own_rows.append(row)
                    print(json.dumps(row), flush=True)
                    write(options.out, rows)
                if within(row) < -SPARE:
                    break  # the other worlds cannot make it good


def known(
    rows: Sequence[dict[str, Any]], choice: tuple[float, dict[str, Any]], seed: int
) -> dict[str, Any] | None:
    """The row of that choice on that world, if it is there."""
    found = [r for r in rows if (r["seed"], r["factor"], r["own"]) == (seed, *choice)]
    return found[0] if found else None


def run(
    name: str, place: tuple[World, Path], seed: int, choice: tuple[float, dict[str, Any]]
) -> dict[str, Any]:
    """One run, without its looks."""
    factor, own = choice
    row = run_arm(name, *place, seed, {**rate(name, factor), **own})
    row.pop("points")
    return {"factor": factor, "own": own, **row}


def write(out: Path, rows: Sequence[dict[str, Any]]) -> None:
    """All rows, and of each recipe the choice."""
    of = {name: [row for row in rows if row["recipe"] == name] for name in shipped_recipes()}
    taken = {name: best(found) for name, found in of.items() if found}
    result = {
        "machine": machine(),
        "chosen": {
            name: {"factor": factor, "own": json.loads(own)}
            for name, (factor, own) in taken.items()
        },
        "rows": rows,
    }
    out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
