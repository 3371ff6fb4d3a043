"""Runs of one comparison with several seeds, side by side: mean and spread of every arm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import fmean
from typing import Any

import orjson

from guard.errors import EvaluateError
from guard.evaluate.report.page import ATTACKER_NAMES, STYLE
from guard.evaluate.report.tables import table

SEEDS_PAGE, SEEDS_DATA = "seeds.html", "seeds.json"
_FIGURES: Mapping[str, Callable[[dict[str, Any]], float | None]] = {
    "plain": lambda line: line["plain"],
    "worst": lambda line: line["worst"] and line["worst"]["value"],
    "kept": lambda line: line["kept"],
}


def across_seeds(reports: Mapping[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """A row per attacker and arm, from the `summary` of each seed's report: of every figure the
    mean, the smallest and the largest, over `seeds` runs. A figure that a run does not define is
    left out of them; None where no run does."""
    lines: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for report in reports.values():
        for line in report["summary"]:
            lines.setdefault((line["attacker"], line["arm"]), []).append(line)
    return [
        {
            "attacker": attacker,
            "arm": arm,
            "control": found[0]["control"],
            "seeds": len(found),
            "best in": sum(line["rank"] == 1 for line in found),
            **{name: _spread([read(line) for line in found]) for name, read in _FIGURES.items()},
        }
        for (attacker, arm), found in lines.items()
    ]


def _spread(values: Sequence[float | None]) -> dict[str, float] | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {"mean": fmean(known), "low": min(known), "high": max(known), "runs": len(known)}


def write_seeds(
    folder: Path, reports: Mapping[int, dict[str, Any]], *, command: str
) -> list[dict[str, Any]]:
    """Writes seeds.html and seeds.json, and gives back the rows. Raises EvaluateError where the
    folder cannot be written."""
    rows = across_seeds(reports)
    data = {"version": 1, "seeds": list(reports), "command": command, "summary": rows}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SEEDS_DATA).write_bytes(orjson.dumps(data) + b"\n")
        (folder / SEEDS_PAGE).write_text(_page(rows, list(reports), command), "utf-8")
    except OSError as error:
        raise EvaluateError(f"{folder}: {error}") from error
    return rows


def _page(rows: Sequence[dict[str, Any]], seeds: Sequence[int], command: str) -> str:
    parts = [
        "<h1>Which way to forget: several seeds</h1>"
        "<p>Each seed is a corpus, a model and adapters of its own; its report is in the folder of "
        f"its name. Seeds: {escape(', '.join(map(str, seeds)))}. Means, with the smallest and the "
        "largest run below: so few runs bound nothing, they show how far figures move.</p>"
    ]
    heads = ("way", "best in", "leaks, plain", "leaks, worst", "kept")
    for attacker, name in ATTACKER_NAMES.items():
        told = [
            (
                f"{row['arm']} (control)" if row["control"] else row["arm"],
                "–" if row["control"] else f"{row['best in']} of {row['seeds']}",
                *(_told(row[figure]) for figure in _FIGURES),
            )
            for row in rows
            if row["attacker"] == attacker
        ]
        if told:
            parts.append(f"<h2>Against {name}</h2>" + table(heads, told, 2))
    parts.append(f"<p><code>{escape(command)}</code></p>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Several seeds</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _told(figure: dict[str, float] | None) -> str:
    if figure is None:
        return "–"
    return f"{figure['mean']:.0%}\n{figure['low']:.0%} to {figure['high']:.0%}"
