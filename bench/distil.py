"""Recipes of `guard distil` on a small Llama that knows an invented world by heart.

    python -m bench.distil                                # seeds 0 to 4
    python -m bench.distil --seeds 0 1 --out a.json       # parts, beside each other
    python -m bench.distil --join a.json b.json           # and put together

For every seed a world, a model that learned all of it, and a *reference* that learned all but what
is to go, on the same number of steps. A recipe sees the first wording of each forget fact and of
each shown fact; what goes is asked in all three, the rest in the second. Scores are ROUGE-L recall
of words, greedy: of what goes (lower is better, the reference is the goal), of what was shown, and
of what was memorised and never shown (higher is better); `told` is the share of a forgotten
answer's own values that is still said. Controls: untouched, the reference, an empty output, a
refusal to everything; plain ascent that the retain budget stops is `grad-ascent`. How strongly each
recipe is run was chosen on other worlds (`bench.distil_rates`).

The recipes of `COMPARED` are followed without an end, to the last step; their trajectories are
interpolated to equal forgetting and compared seed by seed. Every row is written as soon as it is
there, and a run that was cut off goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.distil_arms import COMMON, OWN, Say, run_arm, scores, speaker
from bench.distil_rates import KEPT, SLACK, chosen, said, stays
from bench.distil_world import PEOPLE, STEPS, prepared
from bench.machine import machine
from guard.distil.recipe import shipped_recipes
from guard.distil.refusals import REFUSALS

RESULT = Path(__file__).parent / "results" / "distil.json"
COMPARED = ("grad-ascent", "grad-diff", "npo-ce", "npo-kl", "simnpo", "idk", "blur", "gu")
BASELINE = "grad-ascent"
MEANS = (
    "forget", "told", "shown", "hidden", "refused", "hidden_refused", "words", "seconds",
    "kept_step", "tagged", "tagged_forgot", "distractor",
)  # fmt: skip
NEVER = 1000  # looks past the budget: a trajectory is followed to its end
# What decides where a run ends, and how often is looked; nothing of it holds for an endless one.
_ENDING = ("train.retain_budget", "train.until_forgotten", "train.check_every", "train.patience")


def controls(folder: Path, seed: int) -> dict[str, Say]:
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
        every = [row for row in rows if row["arm"] == arm]
        own = [row for row in every if "failed" not in row]
        line: dict[str, Any] = {
            "arm": arm,
            "claim": every[0].get("claim"),
            "seeds": len(every),
            "failed": len(every) - len(own),
        }
        for key in MEANS:
            values = [row[key] for row in own if row.get(key) is not None]
            if values:
                line[key] = {"mean": statistics.fmean(values), "interval": interval(values)}
        forgot = [said(row) <= base[row["seed"], "reference"]["forget"] + SLACK for row in own]
        kept = [stays(row) >= KEPT * base[row["seed"], "untouched"]["hidden"] for row in own]
        line |= {"forgot": sum(forgot), "kept": sum(kept)}
        line["both"] = sum(f and k for f, k in zip(forgot, kept, strict=True))
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


def compared(rows: Sequence[dict[str, Any]], followed: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Each compared recipe less the baseline at equal forgetting, paired by seed."""
    by = {(row["seed"], row["arm"]): row for row in rows}
    kept: dict[str, dict[int, float | None]] = {}
    for arm in COMPARED:
        kept[arm] = {
            seed: at_forgetting(row, by[seed, "untouched"], by[seed, "reference"]["unseen"] + SLACK)
            for row in followed
            if row["arm"] == arm and (seed := row["seed"], "reference") in by
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
        self.followed: list[dict[str, Any]] = []  # runs without an end, by what the looks saw
        if path.exists():
            known = json.loads(path.read_text("utf-8"))
            if known["settings"] != settings:
                raise SystemExit(f"{path} has other settings; choose another --out or remove it")
            self.rows, self.followed = known["rows"], known["followed"]

    def has(self, seed: int, arm: str, settings: dict[str, Any] | None = None) -> bool:
        """Whether that row is there, run with these settings (a control has none)."""
        return any(
            (row["seed"], row["arm"], row.get("settings")) == (seed, arm, settings)
            for row in self.rows
        )

    def is_followed(self, seed: int, arm: str, settings: dict[str, Any]) -> bool:
        """Whether that run without an end is there, with these settings."""
        return any(
            (row["seed"], row["arm"], row["settings"]) == (seed, arm, settings)
            for row in self.followed
        )

    def add(self, seed: int, arm: str, row: dict[str, Any]) -> None:
        """One more row, in place of one that was run with other settings."""
        told = {"seed": seed, "arm": arm, **row}
        told.pop("points", None)
        self.rows = [r for r in self.rows if (r["seed"], r["arm"]) != (seed, arm)]
        self.rows.append(told)
        print(json.dumps(told), flush=True)
        self.write()

    def follow(
        self, seed: int, arm: str, settings: dict[str, Any], points: list[dict[str, float]]
    ) -> None:
        """One more run without an end, in place of one with other settings."""
        self.followed = [r for r in self.followed if (r["seed"], r["arm"]) != (seed, arm)]
        told = {"seed": seed, "arm": arm, "settings": settings, "points": points}
        self.followed.append(told)
        self.write()

    def write(self) -> None:
        """The rows and what follows from them."""
        result = {
            "machine": machine(),
            "settings": self.settings,
            "metric": "ROUGE-L recall of words, no stemmer, greedy, 24 tokens",
            "summary": summary(self.rows),
            "compared": compared(self.rows, self.followed),
            "rows": self.rows,
            "followed": self.followed,
        }
        self.path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def one_seed(seed: int, options: argparse.Namespace, results: Results) -> None:
    """Every arm's row for one world."""
    world, folder = prepared(seed, options.models)
    for arm, say in controls(folder, seed).items():
        if not results.has(seed, arm):
            results.add(seed, arm, scores(world, say))
    strengths = chosen()
    for name in options.recipes:
        settings = strengths.get(name, {})
        if not results.has(seed, name, settings):
            row = run_arm(name, world, folder, seed, settings)
            results.add(seed, name, {"settings": settings, **row})
        followed = {key: value for key, value in settings.items() if key not in _ENDING}
        if name in COMPARED and not results.is_followed(seed, name, followed):
            endless = {**followed, "train.patience": NEVER}
            row = run_arm(name, world, folder, seed, endless, watched=True)
            results.follow(seed, name, followed, row["points"])


def join(paths: Sequence[Path], results: Results) -> None:
    """The rows of all files in one, in the order of seeds."""
    for path in paths:
        part = json.loads(path.read_text("utf-8"))
        results.rows += part["rows"]
        results.followed += part["followed"]
    results.rows.sort(key=lambda row: row["seed"])
    results.followed.sort(key=lambda row: row["seed"])
    results.write()


def main() -> None:
    """Runs and writes the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--recipes", nargs="*", default=list(shipped_recipes()))
    parser.add_argument("--models", type=Path, default=Path("distil-models"))
    parser.add_argument("--join", type=Path, nargs="+", help="results of parts of the seeds")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    settings = {"people": PEOPLE, "steps": STEPS, "common": COMMON, "own": OWN}
    results = Results(options.out, settings)
    if options.join:
        join(options.join, results)
        return
    for seed in options.seeds:
        one_seed(seed, options, results)


if __name__ == "__main__":
    main()
