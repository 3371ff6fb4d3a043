"""The tables of a report, as HTML. Columns of arms bear the arms' numbers of the pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from guard.evaluate.cells import Cell


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    words: int,
    told: Mapping[str, str] | None = None,
) -> str:
    """A table whose first `words` columns are text and the others figures.

    `told`: what a head stands for. A second line of a figure is set small.
    """
    said = told or {}
    head = "".join(
        f'<th title="{escape(said[name])}">{escape(name)}</th>'
        if name in said
        else f"<th>{escape(name)}</th>"
        for name in heads
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(value)}</td>" if at < words else f'<td class="n">{_lines(value)}</td>'
            for at, value in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def cells_table(cells: Sequence[Cell], numbers: Mapping[str, int]) -> str:
    """The plain question and the likeliest answer, part by part."""
    told = [
        "<h2>Part by part</h2><p>Leaks where the goal is to forget, knowledge elsewhere, in "
        "percent with the interval below. A dot: no signal; a question mark: a model that never "
        "saw it says as much; a stroke: not defined.</p>" + key(numbers)
    ]
    for attack, title in (("plain", "Asked plainly"), ("likeliest answer", "By log-probabilities")):
        chosen = [cell for cell in cells if cell.attack == attack]
        parts = list(dict.fromkeys((c.suite, c.part, c.goal) for c in chosen))
        by_place = {(c.arm, c.suite, c.part): c for c in chosen}
        shown = [arm for arm in numbers if any(c.arm == arm and c.value for c in chosen)]
        if not parts or not shown:
            continue
        rows = [
            (f"{part} ({goal})", *(_value(by_place.get((arm, suite, part))) for arm in shown))
            for suite, part, goal in parts
        ]
        heads = ("part", *(str(numbers[arm]) for arm in shown))
        told.append(f"<h3>{title}</h3>" + table(heads, rows, 1, _told(numbers)))
    return "".join(told)


def figures_table(figures: dict[str, list[dict[str, Any]]], numbers: Mapping[str, int]) -> str:
    """One row a figure, one column an arm; figures and arms that have nothing are left out."""
    by_name = {
        arm: {(row["metric"], row["variant"]): row["value"] for row in rows}
        for arm, rows in figures.items()
    }
    named = dict.fromkeys(name for found in by_name.values() for name in found)
    shown = [name for name in named if any(f.get(name) is not None for f in by_name.values())]
    if not shown:
        return ""
    rows = [
        (name[0], name[1], *(_number(found.get(name)) for found in by_name.values()))
        for name in shown
    ]
    heads = ("figure", "variant", *(str(numbers[arm]) for arm in by_name))
    return (
        "<h2>Published figures</h2><p>Over all rows asked plainly. A stroke: not defined, since "
        "the way gives no log-probabilities or no weights, or there is nothing to compare with; "
        f"report.json says which.</p>{key(numbers)}" + table(heads, rows, 2, _told(numbers))
    )


def disclosures_table(found: dict[str, dict[str, float | None]]) -> str:
    """List inference, by channel."""
    if not found:
        return ""
    channels = ("refusal", "text", "finish_reason", "timing", "worst")
    rows = [(arm, *(_channel(told[c]) for c in channels)) for arm, told in found.items()]
    return (
        "<h2>Can a client tell who is on the list?</h2><p>How well answers about forgotten "
        "subjects are told from answers about invented ones: 0.5 not at all, 1 surely (AUC). A "
        "refusal discloses membership by design. Few subjects make these figures rough, and "
        "timing is that of this machine under this load.</p>"
        + table(("way", "refusal", "words", "finish reason", "timing", "best of these"), rows, 1)
    )


def costs_table(costs: Sequence[dict[str, Any]]) -> str:
    """Seconds a request, tokens a thousand requests."""
    rows = [
        (
            cost["arm"],
            f"{1000 * cost['median_seconds']:.0f} ms",
            f"{1000 * cost['slow_seconds']:.0f} ms",
            f"{cost['prompt_tokens']:,.0f}",
            f"{cost['completion_tokens']:,.0f}",
        )
        for cost in costs
    ]
    heads = ("way", "median", "95th percentile", "prompt tokens", "answer tokens")
    return (
        "<h2>What it costs</h2><p>Times of one request under the load of this run; tokens per "
        "thousand plain requests, as the server counts them (0 where it does not).</p>"
        + table(heads, rows, 1)
    )


def key(numbers: Mapping[str, int]) -> str:
    """Which number is which arm."""
    listed = ", ".join(f"<b>{number}</b> {escape(arm)}" for arm, number in numbers.items())
    return f'<p class="grey">{listed}.</p>'


def percent(value: float | None) -> str:
    """A share as text; a stroke for none."""
    return "–" if value is None else f"{value:.0%}"


def _told(numbers: Mapping[str, int]) -> dict[str, str]:
    return {str(number): arm for arm, number in numbers.items()}


def _lines(value: str) -> str:
    first, _, second = value.partition("\n")
    return escape(first) + (f"<br><small>{escape(second)}</small>" if second else "")


def _value(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if cell.value is None:
        return "–"
    if not cell.signal:
        return "?" if cell.guessing else "·"
    low, high = (f"{100 * share:.0f}" for share in (cell.value.low, cell.value.high))
    return f"{100 * cell.value.value:.0f}\n{low}–{high}"


def _channel(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
