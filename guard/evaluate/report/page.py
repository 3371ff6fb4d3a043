"""The report as one HTML file: no script, no font and no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from guard.evaluate.arms.base import ATTACKERS
from guard.evaluate.cells import GUESSED, SIGNAL
from guard.evaluate.compare import Comparison
from guard.evaluate.report.heat import heat_map
from guard.evaluate.report.plane import plane
from guard.evaluate.report.tables import (
    cells_table,
    costs_table,
    disclosures_table,
    figures_table,
    percent,
    table,
)
from guard.evaluate.report.whiskers import whiskers
from guard.evaluate.summary import Line

STYLE = """
body{font:15px/1.5 Helvetica,Arial,sans-serif;color:#1a1a1a;max-width:1060px;margin:2em auto;
padding:0 1.2em}h1{font-size:1.7em}h2{font-size:1.25em;margin-top:2.2em;border-bottom:1px solid #bbb
}h3{font-size:1.05em}table{border-collapse:collapse;margin:.8em 0;font-size:13.5px}
th,td{padding:.28em .7em;border-bottom:1px solid #e2e2e2;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.box{border-left:4px solid #0072B2;background:#f3f7fb;padding:.6em 1em;margin:1em 0}
.grey{color:#666}small{color:#555;font-size:11px}svg{max-width:100%;height:auto}code{font-size:13px}
@media print{body{max-width:none;margin:0}h2{break-after:avoid}svg,table{break-inside:avoid}}
"""
ATTACKER_NAMES = {
    "text": "somebody who sends text",
    "logprobs": "somebody who also reads log-probabilities",
    "weights": "somebody who holds the weights",
}


def page(result: Comparison, data: dict[str, Any]) -> str:
    """The whole page; `data` as `report_data` made it."""
    lines, numbers = result.summary(), _numbers(result)
    parts = [
        "<h1>Which way to forget: a comparison</h1>",
        _opening(data),
        _advice(lines),
        "<h2>Pictures</h2>",
        *(f"<p>{picture}</p>" for picture in pictures(result).values()),
        _summary(lines),
        _policies(result.by_policy()),
        cells_table(result.cells, numbers),
        figures_table(data["figures"], numbers),
        disclosures_table(data["list_inference"]),
        costs_table(data["costs"]),
        _leaks(data["leaks"]),
        _arms(data["arms"]),
        _limits(data),
        _provenance(data),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Which way to forget</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _opening(data: dict[str, Any]) -> str:
    rows = sum(suite["rows"] for suite in data["suites"])
    suites = "; ".join(
        f"{s['name']} ({s['source']}, {s['rows']} questions)" for s in data["suites"]
    )
    return (
        f'<p class="grey">{escape(data["provenance"]["date"])}. {len(data["arms"])} ways, {rows} '
        f"questions, {len(data['attacks'])} attacks. Suites: {escape(suites)}.</p>"
        "<p><b>How to read it.</b> <i>Leaks</i>: share of questions about what is to be forgotten "
        "that were answered with the fact, in the part and under the attack where it was worst. "
        "<i>Kept</i>: share of all other questions still answered. A figure stands only where the "
        f"undefended model knows at least {SIGNAL:.0%}; elsewhere there is nothing to forget and "
        "the cell says <i>no signal</i>. Nor does it stand where a model that never saw the facts "
        f"tells them in more than {GUESSED:.0%} of cases: that is guessing. Intervals are 95 %, "
        "drawn by subject.</p>"
    )


def _advice(lines: Sequence[Line]) -> str:
    found = []
    for attacker in ATTACKERS:
        own = [line for line in lines if line.attacker == attacker]
        if (advice := _best(own)) is not None:
            found.append(f"<li>Against {ATTACKER_NAMES[attacker]}: {advice}</li>")
        elif any(line.worst is not None for line in own if not line.control):
            why = ""
            if attacker == "weights":
                why = (
                    " A guard or a prompt protects nothing against who holds the weights it "
                    "stands before."
                )
            found.append(f"<li>Against {ATTACKER_NAMES[attacker]}: nothing here helps.{why}</li>")
    if not found:
        return '<div class="box">No cell has signal: nothing can be said.</div>'
    return f'<div class="box"><b>Best by attacker</b><ul>{"".join(found)}</ul></div>'


def _best(lines: Sequence[Line]) -> str | None:
    """What to do, of one attacker's lines; None where nothing is ranked."""
    line = next((line for line in lines if line.rank == 1), None)
    if line is None or line.worst is None or line.kept is None:
        return None
    worst = line.worst
    verdict = (
        f"<b>{escape(line.arm)}</b>: leaks {worst.value:.0%} at worst "
        f"(interval {worst.low:.0%} to {worst.high:.0%}), keeps {line.kept:.0%}"
    )
    if worst.value >= 0.5:
        verdict = f"nothing here helps; the least bad is {verdict}"
    note = f" {escape(line.note)}" if line.note else ""
    return f"{verdict}.{note}"


def _policies(found: dict[str, list[Line]]) -> str:
    """The best way for each policy under each attacker; nothing where there are not several."""
    if not found:
        return ""
    items = []
    for policy, lines in found.items():
        told = []
        for attacker in ATTACKERS:
            own = [line for line in lines if line.attacker == attacker]
            if any(line.worst is not None for line in own if not line.control):
                advice = _best(own) or "nothing here helps."
                told.append(f"<li>Against {ATTACKER_NAMES[attacker]}: {advice}</li>")
        items.append(f"<h3>{escape(policy)}</h3><ul>{''.join(told) or '<li>no signal</li>'}</ul>")
    return (
        "<h2>Policy by policy</h2><p>Leaks are those of the policy's own parts; kept is what they "
        f"and the parts of no policy keep.</p>{''.join(items)}"
    )


def pictures(result: Comparison) -> dict[str, str]:
    """Name and SVG of every picture, in the order of the page."""
    lines = result.summary()
    numbers = _numbers(result)
    held = [(arm.name, arm.weights) for arm in result.plan.arms]
    text = [line for line in lines if line.attacker == "text"]
    weights = [line for line in lines if line.attacker == "weights"]
    return {
        "plane": plane(text, numbers, "Forgetting and keeping, against a client who sends text"),
        "plane-weights": plane(weights, numbers, "The same, against who holds the weights"),
        "attacks": heat_map(held, result.cells, "What leaks under each attack, % of questions"),
        "intervals": whiskers(text, "Against a client who sends text"),
    }


def _numbers(result: Comparison) -> dict[str, int]:
    return {arm.name: place for place, arm in enumerate(result.plan.arms, start=1)}


def _summary(lines: Sequence[Line]) -> str:
    told = ["<h2>Every way under every attacker</h2>"]
    for attacker in ATTACKERS:
        rows = [
            (
                str(line.rank or ("control" if line.control else "–")),
                line.arm,
                percent(line.plain),
                _interval(line),
                percent(line.kept),
                line.worst_cell,
            )
            for line in sorted(
                (found for found in lines if found.attacker == attacker),
                key=lambda found: (found.rank or 99, found.arm),
            )
        ]
        told.append(f"<h3>Against {ATTACKER_NAMES[attacker]}</h3>")
        told.append(
            table(("rank", "way", "leaks, plain", "leaks, worst", "kept", "worst where"), rows, 2)
        )
    return "".join(told)


def _leaks(leaks: Sequence[dict[str, Any]]) -> str:
    if not leaks:
        return "<h2>Leaked answers</h2><p>None from any way but the undefended model.</p>"
    heads = ("way", "attack", "part", "question", "answer")
    rows = [tuple(str(leak[head if head != "way" else "arm"]) for head in heads) for leak in leaks]
    return "<h2>Leaked answers</h2><p>The one of each way that cost least effort.</p>" + table(
        heads, rows, len(heads)
    )


def _arms(arms: Sequence[dict[str, Any]]) -> str:
    rows = [(arm["name"], arm["what"], arm["identity"]) for arm in arms]
    return "<h2>What was compared</h2>" + table(("way", "what it is", "hash"), rows, 3)


def _limits(data: dict[str, Any]) -> str:
    attacks = "".join(
        f"<li><b>{escape(a['name'])}</b>: {escape(a['what'])}"
        + (f" ({escape(a['source'])})" if "source" in a else "")
        + "</li>"
        for a in data["attacks"]
    )
    silent = "".join(f"<li>{escape(', '.join(place))}</li>" for place in data["no_signal"])
    guessed = "".join(f"<li>{escape(', '.join(place))}</li>" for place in data["guessing"])
    unfit = "".join(f"<li>{escape(', '.join(place))}</li>" for place in data["does_not_apply"])
    return (
        f"<h2>What was measured</h2><ul>{attacks}</ul><h2>What was not</h2>"
        "<ul><li>Whether weights hold a fact in ways that these attacks do not bring out.</li>"
        "<li>Answers by meaning: a fact counts as told when its value is in the answer, whomever "
        "the answer ascribes it to.</li><li>Under <i>multiple choice</i> the question holds the "
        "answer, which <code>scope: parametric</code> lets a model repeat: the leak is that it "
        "picks right.</li>"
        "<li>Anything under no signal, where the undefended model does not know enough:"
        f"<ul>{silent or '<li>none</li>'}</ul></li>"
        "<li>Anything that the model which never saw the facts tells too, more often than "
        f"{GUESSED:.0%}: there a leak is a guess."
        f"<ul>{guessed or '<li>none</li>'}</ul></li>"
        "<li>Attacks that do not apply to a suite, of whose rows they make nothing:"
        f"<ul>{unfit or '<li>none</li>'}</ul></li></ul>"
    )


def _provenance(data: dict[str, Any]) -> str:
    made = data["provenance"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    machine = made["machine"]
    hashes = ", ".join(f"{suite['name']} {suite['hash']}" for suite in data["suites"])
    earlier = [
        (
            run["date"],
            line["arm"],
            percent(line["worst"] and line["worst"]["value"]),
            percent(line["kept"]),
        )
        for run in data["earlier"]
        for line in run["summary"]
        if line["attacker"] == "text"
    ]
    before = (
        "<h3>Earlier runs, against a client who sends text</h3>"
        + table(("when", "way", "leaks, worst", "kept"), earlier, 2)
        if earlier
        else ""
    )
    return (
        f"<h2>Provenance</h2><p><code>{escape(data['command'])}</code></p><p>{escape(versions)}. "
        f"{escape(machine['processor'])}, {machine['cores']} cores, load "
        f"{escape(str(machine['load_average']))}. Suites: {escape(hashes)}. "
        f"{data['requests']} requests were sent in this run; the others came from its cache.</p>"
        + before
    )


def _interval(line: Line) -> str:
    if line.worst is None:
        return "–"
    return f"{line.worst.value:.0%} [{line.worst.low:.0%}, {line.worst.high:.0%}]"
