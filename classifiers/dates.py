"""Dates in a text, in the ways people write them, and whether two may be the same day."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MONTHS = "january february march april may june july august september october november december"
_NUMBER = {name: index for index, name in enumerate(_MONTHS.split(), start=1)}
_NUMBER |= {name[:3]: index for name, index in _NUMBER.items()} | {"sept": 9}
_MONTH = rf"(?P<month>{'|'.join(sorted(_NUMBER, key=len, reverse=True))})\.?"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>1\d{3}|20\d{2})"
_WRITTEN = tuple(
    re.compile(rf"\b{pattern}\b", re.IGNORECASE)
    for pattern in (
        rf"{_MONTH}\s+{_DAY}\s*,?\s+(?:of\s+|in\s+)?{_YEAR}",
        rf"{_DAY}\s+(?:day\s+)?(?:of\s+)?{_MONTH}\s*,?\s+(?:in\s+)?{_YEAR}",
        rf"{_MONTH}\s+{_DAY}",
        rf"{_DAY}\s+(?:of\s+)?{_MONTH}",
        rf"{_YEAR}",
    )
)
# Every date has a year, or a month by name beside a number. Most prompts have neither.
_DIGIT = re.compile(r"\d")
_LEAST = re.compile(rf"\d{{4}}|\b(?:{'|'.join(sorted({name[:3] for name in _NUMBER}))})", re.I)
_DIGITS = re.compile(r"\b(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})\b")
_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")


@dataclass(frozen=True, slots=True)
class Date:
    """A day, or less of one: None where the text does not say.

    `either`: day and month may be the other way round (05/11/1991).
    """

    year: int | None
    month: int | None = None
    day: int | None = None
    either: bool = False

    def agrees(self, other: Date) -> bool:
        """Whether nothing that both say differs, and both say something."""
        if self.year is not None and other.year is not None and self.year != other.year:
            return False
        ours, theirs = (self.month, self.day), (other.month, other.day)
        if None in ours or None in theirs:
            return self.year is not None and self.year == other.year
        swapped = (other.day, other.month)
        return ours == theirs or ((self.either or other.either) and ours == swapped)

    @property
    def full(self) -> bool:
        """Whether it names one day."""
        return None not in (self.year, self.month, self.day)


def may_have_dates(text: str) -> bool:
    """False only where `text` has no date."""
    return _DIGIT.search(text) is not None and _LEAST.search(text) is not None


def dates(text: str) -> list[Date]:
    """The dates in `text`, longest reading first; no part of one is read again."""
    if not may_have_dates(text):
        return []
    found = []
    for match in _ISO.finditer(text):
        year, month, day = map(int, match.groups())
        found.append(Date(year, month, day))
    text = _ISO.sub(_blank, text)
    for match in _DIGITS.finditer(text):
        first, second, year = map(int, match.groups())
        month, day = (second, first) if first > 12 else (first, second)
        found.append(Date(year, month, day, either=first <= 12 and second <= 12))
    text = _DIGITS.sub(_blank, text)
    for pattern in _WRITTEN:
        for match in pattern.finditer(text):
            said = match.groupdict()
            found.append(
                Date(
                    int(said["year"]) if said.get("year") else None,
                    _NUMBER[said["month"].lower()] if said.get("month") else None,
                    int(said["day"]) if said.get("day") else None,
                )
            )
        text = pattern.sub(_blank, text)
    return found


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())
