"""A comparison as one JSON object: everything that the page shows, and more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from guard.evaluate.attacks import ATTACKS
from guard.evaluate.compare import Comparison
from guard.evaluate.provenance import provenance
from guard.evaluate.rows import content_hash

REDACTED = "█"
MOST_LEAKS = 12


def report_data(
    result: Comparison,
    *,
    command: str,
    show_leaks: bool = False,
    earlier: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """`show_leaks`: leaked texts in clear; else everything but the first letters is blacked out.

    `earlier`: summaries of runs before this one, oldest first, to compare with.
    """
    plan = result.plan
    summary = [line.as_row() for line in result.summary()]
    unscored, guessed = (
        sorted(
            {(c.suite, c.part, c.attack) for c in result.cells if not c.signal and c.guessing is g}
        )
        for g in (False, True)
    )
    return {
        "version": 1,
        "arms": [
            {
                "name": arm.name,
                "what": arm.what,
                "identity": arm.identity,
                "weights": arm.weights,
                "control": arm.control or arm.name == plan.undefended,
            }
            for arm in plan.arms
        ],
        "undefended": plan.undefended,
        "retained": plan.retained,
        "suites": [
            {
                "name": suite.name,
                "source": suite.source,
                "hash": suite.hash,
                "rows": len(suite.rows),
                "parts": {part: len(rows) for part, rows in suite.parts().items()},
                "variant": suite.variant,
            }
            for suite in plan.suites
        ],
        "attacks": [_attack(attack.name) for attack in plan.attacks]
        + [{"name": a.name, "what": a.what, "attacker": "weights"} for a in plan.weight_attacks],
        "summary": summary,
        "by_policy": {
            policy: [line.as_row() for line in lines]
            for policy, lines in result.by_policy().items()
        },
        "cells": [cell.as_row() for cell in result.cells],
        "figures": {arm: [m.as_row() for m in rows] for arm, rows in result.figures.items()},
        "list_inference": {
            arm: asdict(found) | {"worst": found.worst} for arm, found in result.disclosures.items()
        },
        "costs": [asdict(cost) for cost in result.costs],
        "leaks": _leaks(result, show_leaks),
        "no_signal": [list(place) for place in unscored],
        "guessing": [list(place) for place in guessed],
        "does_not_apply": [list(place) for place in result.unfit],
        "sampling": asdict(plan.sampling),
        "requests": result.requests,
        "command": command,
        "provenance": provenance(),
        "earlier": list(earlier),
        "hash": content_hash([summary, [suite.hash for suite in plan.suites]]),
    }


def _attack(name: str) -> dict[str, Any]:
    attack = ATTACKS[name]
    found = {"name": name, "what": attack.what, "attacker": "text"}
    return found | ({"source": attack.source} if attack.source else {})


def _leaks(result: Comparison, show: bool) -> list[dict[str, Any]]:
    """Of every defended arm the leaks that cost least effort: plain first. No mere guesses."""
    guessed = {(cell.part, cell.attack) for cell in result.cells if cell.guessing}
    order = {attack.name: place for place, attack in enumerate(result.plan.attacks)}
    known = [
        (arm, attack, one)
        for arm, attack, one in result.leaks
        if arm != result.plan.undefended and (one.row.part, attack) not in guessed
    ]
    known.sort(key=lambda leak: (order[leak[1]], -leak[2].score, leak[2].row.id))
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    for arm, attack, one in known:
        if arm in seen or len(found) == MOST_LEAKS:
            continue
        seen.add(arm)
        found.append(
            {
                "arm": arm,
                "attack": attack,
                "part": one.row.part,
                "score": round(one.score, 4),
                "question": one.row.question if show else redacted(one.row.question),
                "answer": one.answer if show else redacted(one.answer),
            }
        )
    return found


def redacted(text: str) -> str:
    """Every word down to its first letter: long enough to see how much, not what."""
    return " ".join(word[0] + REDACTED * min(len(word) - 1, 8) for word in text.split())
