"""Recipes of `guard distil` on a small Llama that knows an invented world by heart.

    python -m bench.distil --seeds 0 --out bench/results/distil.json          # every recipe
    python -m bench.distil --seeds 1 2 3 4 --compare                          # those compared

For every seed a world, a model that learned all of it, and a *reference* that learned all but what
is to go, on the same number of steps. A recipe sees the first wording of each forget fact and of
each shown fact; what goes is asked in all three, the rest in the second. Scores are ROUGE-L recall
of words, greedy: of what goes (lower is better, the reference is the goal), of what was shown, and
of what was memorised and never shown (higher is better). Controls: untouched, the reference, an
empty output, a refusal to everything; plain ascent that the retain budget stops is `grad-ascent`.

The recipes of `COMPARED` are followed without an end, to the last step; their trajectories are
interpolated to equal forgetting and compared seed by seed. Every row is written as soon as it is
there, and a run that was cut off goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.distil_arms import Say, run_arm, scores, speaker
from bench.distil_world import World, make_tokenizer, teach
from bench.machine import machine
from guard.distil.recipe import shipped_recipes
from guard.distil.refusals import REFUSALS

RESULT = Path(__file__).parent / "results" / "distil.json"
# Beside the shipped recipes' own settings, which are those for a model of any size.
COMMON: dict[str, Any] = {"train.precision": "fp32", "train.check_every": 10}
COMPARED = ("grad-ascent", "grad-diff", "npo-ce", "npo-kl", "simnpo", "idk", "blur", "gu")
BASELINE = "grad-ascent"
SLACK = 0.1  # above the reference: what counts as forgotten
KEPT = 0.8  # of the start, on what was memorised and never shown
NEVER = 1000  # looks past the budget: a trajectory is followed to its end


def prepared(people: int, seed: int, steps: int, folder: Path) -> World:
    """The seed's world; its two models are taught once and kept in `folder`."""
    world = World.of(people, seed)
    kept = (*world.shown, *world.hidden)
    for name, facts in (("known", world.facts), ("reference", kept)):
        if not (folder / name / "config.json").exists():
            teach(facts, make_tokenizer(world), folder / name, steps=steps, seed=seed)
    return world


def controls(world: World, folder: Path, seed: int) -> dict[str, Say]:
    """What no recipe made."""
    draw = random.Random(seed)
    return {
        "untouched": speaker(folder / "known"),
        "reference": speaker(folder / "reference"),
        "empty": lambda prompts: [""] * len(prompts),
        "refuses all": lambda prompts: [draw.choice(REFUSALS) for _ in prompts],
    }


def interval(values: Sequence[float]) -> list[float] | None:
    """95 % percentile bootstrap of the mean over seeds; none for a single one."""
    if len(values) < 2:
        return None
    draw = random.Random(0)
    means = sorted(statistics.fmean(draw.choices(values, k=len(values))) for _ in range(2000))
    return [means[50], means[-51]]


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means and intervals over seeds, an arm a line, and on how many seeds it met both bounds."""
    base = {(row["seed"], row["arm"]): row for row in rows}
    # A seed whose controls are not all there yet has nothing to be held to.
    rows = [row for row in rows if (row["seed"], "reference") in base]
    found = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        own = [row for row in rows if row["arm"] == arm and "failed" not in row]
        if not own:
            continue
        line: dict[str, Any] = {"arm": arm, "claim": own[0].get("claim"), "seeds": len(own)}
        for key in ("forget", "shown", "hidden", "refused", "words", "seconds", "kept_step"):
            values = [row[key] for row in own if row.get(key) is not None]
            if values:
                line[key] = {"mean": statistics.fmean(values), "interval": interval(values)}
        line["forgot"] = sum(
            row["forget"] <= base[row["seed"], "reference"]["forget"] + SLACK for row in own
        )
        line["kept"] = sum(
            row["hidden"] >= KEPT * base[row["seed"], "untouched"]["hidden"] for row in own
        )
        found.append(line)
    return found


def at_forgetting(row: dict[str, Any], start: dict[str, Any], goal: float) -> float | None:
    """Recall of what was never shown where recall of what goes first falls to `goal`.

    Linear between the looks on both sides; None where the run never came there.
    """
    before = start
    for point in row["points"]:
        if point["unseen"] <= goal:
            share = (before["unseen"] - goal) / max(1e-9, before["unseen"] - point["unseen"])
            return float(before["hidden"] + share * (point["hidden"] - before["hidden"]))
        before = point
    return None


def compared(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Each compared recipe less the baseline at equal forgetting, paired by seed."""
    by = {(row["seed"], row["arm"]): row for row in rows if "failed" not in row}
    kept: dict[str, dict[int, float | None]] = {}
    for arm in COMPARED:
        kept[arm] = {
            seed: at_forgetting(row, by[seed, "untouched"], by[seed, "reference"]["unseen"] + SLACK)
            for (seed, name), row in by.items()
            if name == arm and row.get("points")
        }
    found = {}
    for arm, values in kept.items():
        reached = [v for v in values.values() if v is not None]
        base = kept[BASELINE]
        pairs = [
            v - w for s, v in values.items() if v is not None and (w := base.get(s)) is not None
        ]
        found[arm] = {
            "seeds": len(values),
            "reached": len(reached),
            "hidden": statistics.fmean(reached) if reached else None,
            "difference": statistics.fmean(pairs) if pairs else None,
            "interval": interval(pairs),
            "pairs": pairs,
        }
    return found


class Results:
    """The rows so far, on disk after each."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        self.settings = settings
        self.rows: list[dict[str, Any]] = []
        if path.exists():
            known = json.loads(path.read_text("utf-8"))
            if known["settings"] != settings:
                raise SystemExit(f"{path} has other settings; choose another --out or remove it")
            self.rows = known["rows"]

    def has(self, seed: int, arm: str) -> bool:
        """Whether that row is there."""
        return any((row["seed"], row["arm"]) == (seed, arm) for row in self.rows)

    def add(self, seed: int, arm: str, row: dict[str, Any]) -> None:
        """One more row."""
        self.rows.append({"seed": seed, "arm": arm, **row})
        told = {key: value for key, value in row.items() if key != "points"}
        print(json.dumps({"seed": seed, "arm": arm, **told}), flush=True)
        result = {
            "machine": machine(),
            "settings": self.settings,
            "metric": "ROUGE-L recall of words, no stemmer, greedy, 24 tokens",
            "summary": summary(self.rows),
            "compared": compared(self.rows),
            "rows": self.rows,
        }
        self.path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def one_seed(seed: int, options: argparse.Namespace, results: Results) -> None:
    """Every arm's row for one world."""
    folder = options.models / f"{options.people}-{options.steps}-{seed}"
    world = prepared(options.people, seed, options.steps, folder)
    for arm, say in controls(world, folder, seed).items():
        if not results.has(seed, arm):
            results.add(seed, arm, scores(world, say))
    others = () if options.compare else [r for r in options.recipes if r not in COMPARED]
    for name in (*COMPARED, *others):
        if results.has(seed, name):
            continue
        watched = name in COMPARED
        settings = {**COMMON, **({"train.patience": NEVER} if watched else {})}
        out = folder / f"run-{time.time_ns()}"
        results.add(
            seed, name, run_arm(name, world, folder / "known", out, seed, settings, watched=watched)
        )


def main() -> None:
    """Runs and writes the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--steps", type=int, default=400, help="of teaching")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--recipes", nargs="*", default=list(shipped_recipes()))
    parser.add_argument("--compare", action="store_true", help="only the recipes compared")
    parser.add_argument("--models", type=Path, default=Path("distil-models"))
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    settings = {"people": options.people, "steps": options.steps, "common": COMMON}
    results = Results(options.out, settings)
    for seed in options.seeds:
        one_seed(seed, options, results)


if __name__ == "__main__":
    main()
