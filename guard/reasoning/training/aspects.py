"""What can be asked about somebody: how an instruction calls it, and how one sees that it did."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Aspect = Literal[
    "identity", "birthplace", "birthdate", "parents", "genre", "award", "books", "household",
    "topic",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Words:
    """`called`: ways to name it, with `{who}` in them; `told_by`: what an instruction that is
    about it says; `plain`: as a policy text has it; `slot`: where one answer to it stands."""

    called: tuple[str, ...]
    told_by: re.Pattern[str]
    plain: str = ""
    slot: str = ""


def _said(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})", re.IGNORECASE)


ASPECTS: dict[Aspect, Words] = {
    "identity": Words(
        ("who {who} is", "the name of {who}", "the identity of {who}", "which person is meant"),
        _said(r"who\b|names?\b|identi|which (?:person|author|writer|novelist)|recogni"),
    ),
    "birthplace": Words(
        ("the birthplace of {who}", "where {who} was born", "the home town of {who}",
         "where {who} comes from"),
        _said(r"born\b|birth|home ?town|native|origin|comes? from|place|grew up|raised"),
        "place of birth", "city",
    ),
    "birthdate": Words(
        ("the date of birth of {who}", "when {who} was born", "the age of {who}",
         "the birthday of {who}"),
        _said(r"born\b|birth|dates?\b|years?\b|ages?\b|how old"),
        "date of birth", "date",
    ),
    "parents": Words(
        ("what the parents of {who} did for a living", "the trades of the parents of {who}",
         "the work of the father and the mother of {who}", "the family that {who} comes from"),
        _said(r"parent|father|mother|mum\b|dad\b|famil"),
        "parents and their work", "father",
    ),
    "genre": Words(
        ("the genre that {who} writes in", "what kind of books {who} writes",
         "the field of {who}", "the sort of literature that {who} stands for"),
        _said(r"genre|field|kind|sort|type|style"),
        "kind of writing", "genre",
    ),
    "award": Words(
        ("the prizes of {who}", "which award {who} received", "a prize that {who} won",
         "the honours given to {who}"),
        _said(r"award|prize|medal|honou?r"),
        "prizes and awards", "award",
    ),
    "books": Words(
        ("the books of {who}", "the titles that {who} published", "what {who} wrote",
         "the works of {who} and what is in them"),
        _said(r"book|novel|title|works?\b|wr(?:ites?|ote|itten|iting)\b|publi"),
        "books and their contents", "title0",
    ),
    "household": Words(
        ("the household of {who}", "what stands in the home of {who}",
         "the belongings of {who}", "what visitors see at the house of {who}"),
        _said(r"home\b|house|belong|possess|own(?:s|ed)?\b|visit|furnish"),
        "home and belongings", "thing0",
    ),
}  # fmt: skip

PRIVATE: frozenset[Aspect] = frozenset({"birthplace", "birthdate", "parents", "household"})
PEOPLE: tuple[Aspect, ...] = tuple(ASPECTS)
SINGLE: tuple[Aspect, ...] = tuple(one for one in PEOPLE if one != "identity")

_COMMON = frozenset({"about", "between", "their", "that", "with", "from", "what", "home"})


def names_aspect(text: str, aspect: Aspect, topic: str = "") -> bool:
    """Whether an instruction says that this is what the request asks about."""
    if aspect != "topic":
        return ASPECTS[aspect].told_by.search(text) is not None
    words = {word for word in re.findall(r"\w{4,}", topic.casefold()) if word not in _COMMON}
    said = set(re.findall(r"\w{4,}", text.casefold()))
    return 2 * len(words & said) >= len(words)
