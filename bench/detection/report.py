"""Renders `bench/results/detect.json` into docs/benchmarks.md.

python -m bench.detection.report
"""

from __future__ import annotations

import json
from typing import Any

from bench.detect import RESULT
from bench.report import PAGE, filled, table

MARK = "results of bench/detect.py"
# What others publish for the same split and question; their positives may be easier (see the page).
PUBLISHED = {
    ("forget01", "paraphrases"): "100 (DRAGON)",
    ("forget05", "paraphrases"): "100 (DRAGON)",
    ("forget10", "paraphrases"): "100 (DRAGON); 90 (a GUARD-style router)",
    ("forget01", "retain99 originals"): "9.1 (DRAGON)",
    ("forget10", "retain90 originals"): "0.00 (DRAGON at 0.9), 0.53 (at 0.8); 7.5 (a router)",
    ("forget10", "real_authors"): "11.3 (a router)",
    ("forget10", "world_facts"): "17.7 (a router)",
}


def rate(found: dict[str, Any]) -> str:
    """Percent with its bounds, and how many rows."""
    if not found.get("rows"):
        return "–"
    return (
        f"{found['percent']:.2f} ({found['low']:.2f}–{found['high']:.2f}), "
        f"{found['flagged']} of {found['rows']}"
    )


def accuracy(found: dict[str, Any]) -> str:
    """Balanced accuracy with its bounds."""
    return f"{found['balanced_accuracy']:.1f} ({found['low']:.1f}–{found['high']:.1f})"


def sides(name: str, found: dict[str, Any], published: str = "–") -> list[str]:
    return [name, rate(found["baseline"]), rate(found["ours"]), published]


def render(result: dict[str, Any]) -> str:
    """The whole block, in markdown."""
    box, head = result["machine"], result["head"]
    lines = [
        f"{box['cpu']}, {box['cores']} cores; measured {box['date'][:10]}. Facts threshold "
        f"{head['threshold']:.3f}. Percent flagged, 95 % bounds clustered by author in brackets.",
        "",
    ]
    columns = ["baseline", "ours", "published"]
    for split, groups in result["tofu"].items():
        rows = [sides(n, f, PUBLISHED.get((split, n), "–")) for n, f in groups.items()]
        lines += table([f"TOFU {split}", *columns], rows)
    lines += table(
        ["forget01, 05, 10 in turn", "DS after each", "DDS", "DUS"],
        [
            [arm, ", ".join(f"{ds:.1f}" for ds in f["ds"].values()), f"{f['dds']:.3f}",
             f"{f['dus']:.3f}"]
            for arm, f in result["sequence"].items()
        ],
    )  # fmt: skip
    gating = dict(result["gating"])
    style = gating.pop("style_control")
    rows = []
    for category, parts in gating.items():
        rows.append(sides(f"{category}: forgotten authors", parts["wanted"]))
        rows.append(sides(f"{category}: retained authors", parts["other"]))
    lines += table(["named nobody (forget10)", *columns], rows)
    lines += [
        f"Style-only control on these prompts: AUC {style['auc']:.3f} "
        f"({style['low']:.3f}–{style['high']:.3f}).",
        "",
    ]
    lines += table(["BLUR", *columns], [sides(n, f) for n, f in result["blur"].items()])
    attacked = [[family, rate(found)] for family, found in result["attacks"].items()]
    lines += table(["attacks, forget05", "ours"], attacked)
    lines += table(
        ["KnowUnDo, persons not written for", "forgotten", "retained", "balanced accuracy"],
        [
            [f"{arm}: {which}", rate(found["forgotten"]), rate(found["retained"]), accuracy(found)]
            for arm, sides_of in result["knowundo"].items()
            for which, found in sides_of.items()
        ],
    )
    lines += table(
        ["invented topics, questions", "ours"],
        [[kind, rate(found)] for kind, found in result["topics"].items()],
    )
    if "general" in result:
        rows = [sides("questions and instructions", result["general"])]
        lines += table(["general traffic, forget10", *columns], rows)
    return "\n".join(lines).strip()


def main() -> None:
    PAGE.write_text(filled(PAGE, render(json.loads(RESULT.read_text())), MARK))


if __name__ == "__main__":
    main()
