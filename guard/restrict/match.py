"""A match: what a scanner reports."""

from __future__ import annotations

from dataclasses import dataclass

from guard.restrict.phrases import Phrase


@dataclass(frozen=True, slots=True)
class Match:
    """A forbidden phrase in a text: raw code points [start, end), and the phrases it may be.

    `end` is the acting point, not the end of the forbidden run.
    """

    start: int
    end: int
    phrases: tuple[Phrase, ...]
