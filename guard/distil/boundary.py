"""Boundary prompts: worded as what is forgotten, about somebody who stays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice, permutations

from guard.distil.rows import Row, Side

# Invented, so that nothing is known of them and nothing must go; for want of names to put together.
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
_TRIED = 200  # ways to put two names together: many subjects may have one family name


def stranger(subject: str, subjects: Iterable[str], number: int) -> str:
    """A name that none of the subjects has, another for another number.

    Where there are others with two names, it is the first of one and the last of another: so it
    reads to the model like those it was told of, and shares nothing with the subject's own. A
    small model takes names of another sort for noise and says nothing of that form.
    """
    names = sorted(set(subjects))
    known, own = {name.casefold() for name in names}, {*subject.casefold().split()}
    whole = [words for name in names if len(words := name.split()) > 1]
    turned = whole[number % len(whole) :] + whole[: number % len(whole)] if whole else []
    for first, last in islice(permutations(turned, 2), _TRIED):
        made = f"{first[0]} {last[-1]}"
        if made.casefold() not in known and not {*made.casefold().split()} & own:
            return made
    return NAMES[number % len(NAMES)]


def boundary_prompts(rows: Sequence[Row]) -> list[Row]:
    """One for each row whose prompt names its subject; answers are still empty."""
    return [
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
        for row, other in zip(rows, about_strangers(rows), strict=True)
        if other is not None
    ]


def about_strangers(rows: Sequence[Row]) -> list[Row | None]:
    """Each row about somebody whom nobody knows; None where its prompt names no subject."""
    subjects = [subject for row in rows if (subject := _subject(row))]
    return [
        about(row, stranger(_subject(row), subjects, number)) for number, row in enumerate(rows)
    ]


def about(row: Row, other: str) -> Row | None:
    """The row with another name in the place of its subject's, in prompt and answer; None where
    the prompt does not name it."""
    subject = _subject(row)
    if not subject or row.prompt is None:
        return None
    # Whole words: "annual" is no Ann.
    named = re.compile(rf"(?<!\w){re.escape(subject)}(?!\w)", re.IGNORECASE)
    prompt, count = named.subn(other, row.prompt)
    return replace(row, prompt=prompt, answer=named.sub(other, row.answer)) if count else None


def _subject(row: Row) -> str:
    """What stands after the colon of `entity`."""
    return row.entity.partition(":")[2]
