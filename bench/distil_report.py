"""Renders `bench/results/distil.json` into docs/distil.md.

python -m bench.distil_report
"""

from __future__ import annotations

import json
from typing import Any

from bench.distil import BASELINE, RESULT
from bench.distil_rates import CLOSELY, chosen
from bench.report import ROOT, filled, table
from guard.distil.recipe import load_recipe

PAGE = ROOT / "docs" / "distil.md"
MARK = "results of bench/distil.py"
ENDING = {"train.retain_budget": "budget", "train.until_forgotten": "goal"}
CONTROLS = ("untouched", "reference", "empty", "refuses all")


def mean(line: dict[str, Any], key: str, digits: int = 2) -> str:
    """The mean over seeds with its interval."""
    found = line.get(key)
    if found is None:
        return "–"
    said = f"{found['mean']:.{digits}f}"
    if found["interval"] and found["interval"][0] != found["interval"][1]:
        low, high = found["interval"]
        said += f" ({low:.{digits}f}–{high:.{digits}f})"
    return said


def strength(name: str, settings: dict[str, Any]) -> str:
    """A multiple of the recipe's rate, what ends it in a word each, and settings of its own."""
    own = dict(settings)
    own.pop("train.scale_lr", None)
    shipped = load_recipe(name).train.lr
    said = [f"{own.pop('train.lr', shipped) / shipped:g}"]
    said += [f"{word} {short(own.pop(key))}" for key, word in ENDING.items() if key in own]
    if CLOSELY.items() <= own.items():
        said.append("closely")
        own = {key: value for key, value in own.items() if key not in CLOSELY}
    return ", ".join([*said, *(f"`{key}={short(value)}`" for key, value in sorted(own.items()))])


def short(value: Any) -> str:
    """A setting's value; of a long list the ends."""
    if isinstance(value, list) and len(value) > 3:
        return f"[{value[0]:g} ... {value[-1]:g}]"
    return f"{value:g}" if isinstance(value, float | int) else str(value)


def arms(lines: list[dict[str, Any]], run: dict[str, dict[str, Any]]) -> list[str]:
    """Every arm, controls first, then by claim and by what is still said of what goes; `run`:
    what each was run with."""
    order = {name: i for i, name in enumerate(CONTROLS)}
    claims = {"behaviour": 1, "behaviour under a tag": 2, "runtime": 3, "representation": 4}

    def place(line: dict[str, Any]) -> tuple[int, float, float]:
        if line["arm"] in order:
            return 0, order[line["arm"]], 0.0
        still = line["forget"]["mean"] if "forget" in line else 2.0
        return claims[line["claim"]], -line["both"], still

    rows = []
    for line in sorted(lines, key=place):
        control = line["arm"] in order
        both = "–" if control else f"{line['both']} of {line['seeds']}"
        run_with = "–" if control else strength(line["arm"], run[line["arm"]])
        rows.append(
            [
                line["arm"] if control else f"`{line['arm']}`",
                "control" if control else line["claim"],
                mean(line, "tagged" if "tagged" in line else "forget"),
                *(mean(line, key) for key in ("told", "hidden", "shown", "refused")),
                mean(line, "words", 0),
                both,
                mean(line, "seconds", 0),
                run_with,
            ]
        )
    head = ["arm", "claim", "said of what goes", "told of it", "kept, never shown", "kept, shown"]
    return table([*head, "refused", "words", "both bounds", "processor s", "strength"], rows)


def compared(found: dict[str, Any]) -> list[str]:
    """Recall of what was never shown where forgetting is equal, and the paired difference."""
    rows = []
    for name, line in found.items():
        kept = "–" if line["hidden"] is None else f"{line['hidden']:.3f}"
        apart = "–"
        if name != BASELINE and line["difference"] is not None:
            apart = f"{line['difference']:+.3f}"
            if line["interval"]:
                apart += " ({:+.3f} to {:+.3f})".format(*line["interval"])
        rows.append([f"`{name}`", f"{line['reached']} of {line['seeds']}", kept, apart])
    head = ["recipe", "came there", "kept, never shown", f"less `{BASELINE}`, paired"]
    return table(head, rows)


def render(result: dict[str, Any]) -> str:
    """The whole block, in markdown."""
    box, seeds = result["machine"], len({row["seed"] for row in result["rows"]})
    run = {row["arm"]: row["settings"] for row in result["rows"] if "settings" in row}
    took = [row["seconds"] for row in result["rows"] if row["seed"] == 0 and "seconds" in row]
    drawn = "one seed" if seeds == 1 else f"{seeds} seeds, 95 % bootstrap intervals in brackets"
    lines = [
        f"{box['cpu']}; {drawn}; measured {box['date'][:10]}. The recipes of this "
        f"table took {sum(took) / 60:.0f} minutes of processor time on the first seed.",
        "",
        *arms(result["summary"], run),
        "At equal forgetting:",
        "",
        *compared(result["compared"]),
    ]
    stale = sorted(f"`{name}`" for name, own in chosen().items() if run.get(name, own) != own)
    if stale:
        lines.append(f"- Not yet run as chosen since: {', '.join(stale)}.")
    failed = sorted({(row["arm"], row["failed"]) for row in result["rows"] if "failed" in row})
    lines += [f"- `{arm}` failed on a seed: {why}" for arm, why in failed]
    return "\n".join(lines).rstrip()


def main() -> None:
    """Fills the block."""
    result = json.loads(RESULT.read_text("utf-8"))
    PAGE.write_text(filled(PAGE, render(result), MARK), "utf-8")


if __name__ == "__main__":
    main()
