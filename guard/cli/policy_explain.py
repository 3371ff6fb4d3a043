"""What a policy will do, in words and counts."""

from __future__ import annotations

from datetime import date
from typing import Any

from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from guard.policy import Policy

_ACTIONS = {
    "refuse": "the user reads the policy's message instead of an answer",
    "reason": "the model answers under a policy text and with reasoning written for it",
    "restrict": "the model answers without what is forgotten",
    "reroute": "a model that has forgotten answers",
}
_SCOPES = {
    "parametric": "what the user supplies may be repeated",
    "any": "nothing may be repeated, not even what the user supplies",
}
_ON_ERROR = {
    "closed": "when a detector fails, nothing gets out",
    "open": "when a detector fails, the request passes",
}


def describe(policy: Policy, today: date, *, show: bool) -> dict[str, Any]:
    """A policy as plain JSON values; its forgotten content only with `show`."""
    binds = policy.applies_to
    description: dict[str, Any] = {
        "name": policy.name,
        "hash": policy.hash,
        "file": str(policy.source),
        "description": policy.description,
        "owner": policy.owner,
        "reason": policy.reason,
        "state": _state(policy, today),
        "binds": {
            "models": list(binds.models),
            "keys": list(binds.keys),
            "except_keys": list(binds.except_keys),
        },
        "counts": {
            "entities": len(policy.entities),
            "names": len(policy.names),
            "prompts": len(policy.prompts),
            "embeddings": len(policy.embeddings or ()),
            "texts": len(policy.texts),
            "tests": len(policy.tests),
            "retain_prompts": len(policy.retain_prompts),
        },
        "review_by": policy.review_by.isoformat() if policy.review_by else None,
        "until": policy.until.isoformat() if policy.until else None,
        "action": policy.action,
        "scope": policy.scope,
        "on_error": policy.on_error,
        "message": policy.message,
        "match": {
            "words": policy.match.words,
            "beta": policy.match.beta,
            "similarity": policy.match.similarity,
        },
    }
    if show:
        description["forgets"] = {
            "names": list(policy.names),
            "prompts": list(policy.prompts),
            "texts": list(policy.texts),
        }
    return description


def panel(description: dict[str, Any]) -> Panel:
    """The same for people."""
    table = Table.grid(padding=(0, 2))
    for label, text in _lines(description):
        table.add_row(f"[bold]{label}[/]", escape(text))
    return Panel(table, title=escape(description["name"]), title_align="left")


def _lines(told: dict[str, Any]) -> list[tuple[str, str]]:
    counts, binds, match = told["counts"], told["binds"], told["match"]
    lines = [
        ("what", told["description"]),
        ("why", told["reason"]),
        ("owner", told["owner"]),
        ("state", told["state"]),
        ("models", ", ".join(binds["models"])),
        ("keys", ", ".join(binds["keys"])),
        ("except", ", ".join(binds["except_keys"])),
        ("forgets", _amounts(counts)),
        ("flagged", _ACTIONS[told["action"]]),
        ("message", told["message"]),
        ("scope", _SCOPES[told["scope"]]),
        ("on error", _ON_ERROR[told["on_error"]]),
        (
            "match",
            f"{match['words']} words of a text, acted on at {match['beta']:.0%} of them; "
            f"prompts from a cosine of {match['similarity']:g}",
        ),
        ("review by", told["review_by"] or ""),
        ("until", told["until"] or ""),
        ("tests", str(counts["tests"])),
        ("hash", told["hash"]),
        ("file", told["file"]),
    ]
    lines += [(label, text) for label in told.get("forgets", ()) for text in told["forgets"][label]]
    return [(label, text) for label, text in lines if text]


def _amounts(counts: dict[str, int]) -> str:
    kinds = {
        "entities": "entity",
        "names": "name",
        "prompts": "prompt",
        "embeddings": "embedding",
        "texts": "text",
    }
    return ", ".join(
        f"{counts[many]} {one if counts[many] == 1 else many}"
        for many, one in kinds.items()
        if counts[many]
    )


def _state(policy: Policy, today: date) -> str:
    if policy.is_expired(today):
        return "expired: not enforced"
    state = "enforced" if policy.enforced else "shadow: only recorded, nothing is changed"
    return f"{state}; review overdue" if policy.is_overdue(today) else state
