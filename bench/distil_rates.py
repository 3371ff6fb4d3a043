"""The learning rate of each recipe in `bench.distil`, chosen on a world that is reported nowhere.

    python -m bench.distil_rates     # about an hour; writes bench/results/distil_rates.json

The shipped rates are those of the papers' models, stretched by width; a Llama of four million
parameters wants others. Each recipe is run at its own rate on the world of seed `CALIBRATION`, and
at multiples of it where that does not meet both bounds. Of those that keep what was never shown,
the one that forgets most is taken; if none keeps, the one that keeps most. Recipes without a rate
are run as they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.distil_arms import run_arm, scores, speaker
from bench.distil_world import CALIBRATION, prepared
from bench.machine import machine
from guard.distil.recipe import load_recipe, shipped_recipes

RATES = Path(__file__).parent / "results" / "distil_rates.json"
FACTORS = (1.0, 3.0, 10.0)
KEPT = 0.8  # of what was never shown, where the model knew all of it
SLACK = 0.1  # above the reference: what counts as forgotten
ONCE = (
    "dsg",
    "ssd",
    "ofmu",
)  # nothing is trained, or the steps that forget have a rate of their own


def rate(name: str, factor: float) -> dict[str, Any]:
    """Overrides that multiply the recipe's rate, still stretched by the model's width."""
    return {"train.lr": load_recipe(name).train.lr * factor, "train.scale_lr": True}


def said(row: dict[str, Any]) -> float:
    """Recall of what goes, where the method claims that it goes: under the tag, if it has one."""
    return float(row.get("tagged", row["forget"]))


def stays(row: dict[str, Any]) -> float:
    """The least recall of what was never shown, of one with a tag also under a stranger's."""
    return float(min(row["hidden"], row.get("distractor", 1.0)))


def best(rows: Sequence[dict[str, Any]]) -> float:
    """The factor to take of one recipe's rows; 1 where all of them failed."""
    rows = [row for row in rows if "failed" not in row]
    kept = [row for row in rows if stays(row) >= KEPT]
    if kept:
        # Under a tag all of it may be gone already: then the one that says "forgot" most often.
        return float(min(kept, key=lambda r: (said(r), -r.get("tagged_forgot", 0)))["factor"])
    return float(max(rows, key=stays)["factor"]) if rows else 1.0


def chosen() -> dict[str, float]:
    """The factors that were chosen; 1 for a recipe that nobody calibrated."""
    return dict(json.loads(RATES.read_text("utf-8"))["factors"]) if RATES.exists() else {}


def enough(rows: Sequence[dict[str, Any]], reference: float) -> bool:
    """Whether one of a recipe's rows meets both bounds."""
    return any(
        stays(row) >= KEPT
        and said(row) <= reference + SLACK
        and row.get("tagged_forgot", 1.0) >= 0.9
        for row in rows
        if "failed" not in row
    )


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
    world, folder = prepared(CALIBRATION, options.models)
    reference = scores(world, speaker(folder / "reference"))["forget"]
    for name in options.recipes:
        for factor in FACTORS[:1] if name in ONCE else FACTORS:
            own = [row for row in rows if row["recipe"] == name]
            if enough(own, reference) or factor in [row["factor"] for row in own]:
                continue
            row = run_arm(name, world, folder, CALIBRATION, rate(name, factor))
            row.pop("points")
            rows.append({"recipe": name, "factor": factor, **row})
            print(json.dumps(rows[-1]), flush=True)
            of = {n: [row for row in rows if row["recipe"] == n] for n in shipped_recipes()}
            factors = {n: best(found) for n, found in of.items() if found}
            result = {"machine": machine(), "factors": factors, "rows": rows}
            options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
