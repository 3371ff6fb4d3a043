"""Topics in a few words: the half of the invented ones that no threshold was chosen on."""

from __future__ import annotations

from typing import Any

from bench.detection.scoring import Guard, bounds
from bench.detection.tofu import Row
from classifiers import BatchedEncoder
from classifiers.training.topics import topics
from guard.policy import Policy


def table(encoder: BatchedEncoder) -> dict[str, Any]:
    """Questions on ten topics, and questions beside them that share a word or a field."""
    held = topics("calibrate")
    policies = [Policy(name=f"topic-{n}", topics=(one.text,)) for n, one in enumerate(held)]
    guard = Guard(policies, encoder)
    found = {}
    for kind in ("on", "beside"):
        rows = [Row(text, n) for n, one in enumerate(held) for text in getattr(one, kind)]
        found[kind] = bounds([v.flagged for v in guard.ask(rows)], [row.author for row in rows])
    return found
