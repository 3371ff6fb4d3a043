"""Boundary prompts: worded as what is forgotten, about somebody who stays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from guard.distil.rows import Row, Side

# Invented, so that nothing is known of them and nothing must go.
NAMES = (
    "Maren Oldcastle",
    "Tobias Quillfeather",
    "Ines Marrowby",
    "Halvard Stenmoor",
    "Perpetua Lindqvale",
    "Casimir Thornbeck",
    "Odile Ferncastle",
    "Rurik Ashgrove",
)


def boundary_prompts(rows: Sequence[Row], names: Sequence[str] = NAMES) -> list[Row]:
    """One for each row whose prompt names its subject; answers are still empty."""
    found = []
    for i, row in enumerate(rows):
        other = about(row, names[i % len(names)])
        if other is not None:
            found.append(
                Row(
                    side=Side.RETAIN,
                    prompt=other.prompt,
                    answer="",
                    policy=row.policy,
                    policy_hash=row.policy_hash,
                    source=f"{row.source}.boundary",
                    wording=row.wording,
                    answered_by="start model",
                )
            )
    return found


def about(row: Row, other: str) -> Row | None:
    """The row with another name in the place of its subject's, in prompt and answer; None where
    the prompt does not name it.

    The subject of a row is what stands after the colon of `entity`.
    """
    subject = row.entity.partition(":")[2]
    if not subject or row.prompt is None:
        return None
    # Whole words: "annual" is no Ann.
    named = re.compile(rf"(?<!\w){re.escape(subject)}(?!\w)", re.IGNORECASE)
    prompt, count = named.subn(other, row.prompt)
    return replace(row, prompt=prompt, answer=named.sub(other, row.answer)) if count else None
