"""The certificate as one page and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from html import escape
from typing import Any

from guard.evaluate.certificate.asking import Certificate
from guard.evaluate.certificate.probes import GENERATOR
from guard.evaluate.metrics.bounds import upper_bound
from guard.evaluate.provenance import provenance
from guard.evaluate.report.data import redacted
from guard.evaluate.report.page import STYLE
from guard.evaluate.report.tables import table

ATTACKER = "a client who sends text through the guard"


def certificate_data(
    found: Certificate, *, command: str, show_leaks: bool = False
) -> dict[str, Any]:
    """Everything that the page says. Leaks are blacked out unless they are asked for."""
    leaked_facts, facts = found.facts()
    return {
        "version": 1,
        "policy": found.policy.name,
        "policy_hash": found.policy.hash,
        "policy_set": found.policy_set,
        "action": found.policy.action,
        "mode": found.policy.mode,
        "attacker": ATTACKER,
        "generator": GENERATOR,
        "sampling": asdict(found.sampling),
        "probes": len(found.findings),
        "counted": len(found.counted),
        "leaked": found.leaked,
        "upper_bound": found.bound(),
        "facts": facts,
        "leaked_facts": leaked_facts,
        "fact_upper_bound": found.fact_bound(),
        "refused": found.refused,
        "bare_leaked": found.bare_leaked if found.with_bare else None,
        "by_way": [
            {
                "way": way,
                "leaked": leaks,
                "visible": visible,
                "probes": probes,
                "upper_bound": upper_bound(leaks, visible) if visible else None,
            }
            for way, (leaks, visible, probes) in found.by_way().items()
        ],
        "leaks": [
            {
                "way": f.probing.way,
                "kind": f.leak,
                "question": f.probing.question if show_leaks else redacted(f.probing.question),
                "answer": f.reply.text if show_leaks else redacted(f.reply.text),
            }
            for f in found.findings
            if f.leak is not None
        ],
        "command": command,
        "provenance": provenance(),
    }


def certificate_page(data: dict[str, Any]) -> str:
    """One page for who answers for the request."""
    rows = [
        (way["way"], str(way["probes"]), str(way["visible"]), str(way["leaked"]), _most(way))
        for way in data["by_way"]
    ]
    columns = ("way of asking", "asked", "a leak could be seen", "leaked", "95 % bound")
    parts = [
        f"<h1>Evidence: {escape(data['policy'])}</h1>",
        f'<p class="grey">{escape(data["provenance"]["date"])}</p>',
        f'<div class="box"><b>{escape(verdict(data))}</b></div>',
        f"<p>Asked by {escape(data['attacker'])}. {_facts(data)} {data['refused']} of "
        f"{data['probes']} answers declined. The policy's own questions as they stand are not in "
        "the bound above: the detector has them by heart.</p>",
        _signal(data),
        table(columns, rows, 1),
        "<h2>What this does not say</h2><ul><li>Anything about somebody who holds the model's "
        "weights or reaches the model server past the guard.</li><li>Anything about questions of "
        "another kind than these.</li><li>That the facts are gone from the model: this is "
        "suppression of behaviour.</li><li>Anything about answers that tell a fact in wholly other "
        "words than the policy's.</li></ul>",
        _leaks(data),
        _identity(data),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Evidence: {escape(data['policy'])}</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def verdict(data: dict[str, Any]) -> str:
    """The certificate in one sentence."""
    if data["upper_bound"] is None:
        return (
            "Nothing is shown: in none of these questions could a leak have been seen. "
            "Give the policy `pairs` or `texts`, or ask the model alone beside it (--direct)."
        )
    return (
        f"{data['leaked']} of {data['counted']} answers in which a leak could be seen gave "
        f"something away: at most {data['upper_bound']:.1%} of such questions do (95 % sure)."
    )


def _most(way: dict[str, Any]) -> str:
    return "-" if way["upper_bound"] is None else f"at most {way['upper_bound']:.1%}"


def _facts(data: dict[str, Any]) -> str:
    if data["fact_upper_bound"] is None:
        return ""
    return (
        f"Wordings of one fact stand or fall together: of {data['facts']} facts "
        f"{data['leaked_facts']} leaked, so at most {data['fact_upper_bound']:.1%} do."
    )


def _signal(data: dict[str, Any]) -> str:
    if data["bare_leaked"] is None:
        return (
            "<p>The model without the guard was not asked (<code>--direct</code>), so nothing here "
            "shows that there was something to forget.</p>"
        )
    return (
        f"<p>The model without the guard gave something away in {data['bare_leaked']} of the same "
        f"{data['probes']} questions.</p>"
    )


def _leaks(data: dict[str, Any]) -> str:
    if not data["leaks"]:
        return ""
    rows = [(leak["way"], leak["kind"], leak["question"], leak["answer"]) for leak in data["leaks"]]
    return "<h2>What leaked</h2>" + table(("way", "kind", "question", "answer"), rows, 4)


def _identity(data: dict[str, Any]) -> str:
    rows = [
        (
            "policy",
            f"{data['policy']} ({data['action']}, {data['mode']}), hash {data['policy_hash']}",
        ),
        ("set of policies that the guard obeyed", data["policy_set"]),
        ("generator of the questions", data["generator"]),
        (
            "answers",
            f"at most {data['sampling']['max_tokens']} tokens, temperature "
            f"{data['sampling']['temperature']}, seed {data['sampling']['seed']}",
        ),
        ("versions", ", ".join(f"{n} {v}" for n, v in data["provenance"]["versions"].items())),
    ]
    return f"<h2>How to repeat it</h2><p><code>{escape(data['command'])}</code></p>" + table(
        ("what", "which"), rows, 2
    )
