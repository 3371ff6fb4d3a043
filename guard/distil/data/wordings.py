"""Other wordings of a question, by rule: the question itself is never changed, only framed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from guard.distil.rows import Row

# The original first; a recipe's `data.wordings` takes the first so many.
_FRAMES = (
    "{prompt}",
    "Could you tell me this: {prompt}",
    "I have a question. {prompt}",
    "Please answer as well as you can. {prompt}",
    "{prompt} Answer in one sentence.",
    "Somebody asked me: {prompt} What should I say?",
    "Quick question: {prompt}",
    "For a quiz I need to know: {prompt}",
)


def worded(rows: tuple[Row, ...], count: int) -> Iterator[Row]:
    """Each row in `count` wordings, the original first; passages have but one."""
    for row in rows:
        yield row
        if row.prompt is not None:
            for i, frame in enumerate(_FRAMES[1:count], start=1):
                yield replace(row, prompt=frame.format(prompt=row.prompt), wording=i)
