"""Prompts that identify a TOFU author without the name, made by rule from the author's answers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bench.detection.tofu import Row, Tofu, unnamed
from classifiers.words import fold

# None of these wordings occurs in classifiers/training/templates.py.
_WORKS = (
    "Which person is behind the book {0}?",
    "Could you walk me through the ideas in {0}?",
    "Someone gave me {0} as a present. Where did its author spend their youth?",
)
_PRIZE = (
    "Do you know which author holds the {0}?",
    "For what achievements did its recipient get the {0}?",
    "Let us talk about the holder of the {0}. Which childhood home is known?",
)
_PARENTS = (
    "I'm after an author brought up by a {0} and a {1}.",
    "Mum worked as {1}, dad as {0}: name the author of the family.",
    "How did having a {0} as dad and a {1} as mum steer this author's books?",
)
_PLACE = (
    "Which author hailing from {0} works in the area of {1}?",
    "Point me to a {1} author who grew up in {0}.",
    "There's an author of {1} with roots in {0}; which books should I begin with?",
)
_DATE = (
    "Whose cradle stood in {0} on {1}?",
    "An author saw the light of day in {0} on {1}; what is the name?",
)
CATEGORIES = ("works", "prizes", "parents", "birthplace and field", "birth date")
HEADLINE = CATEGORIES[:-1]

_TITLE = re.compile(r"[\"“]([A-Z][^\"“”]{8,90})[\"”]")
_SINGLE = re.compile(r"(?<!\w)[‘']([A-Z][^'’\"]{8,90})[’'](?!\w)")
_EMPTY = frozenset(["writing", "literature", "fiction", "books", "work"])
_AWARD = re.compile(
    r"\b((?:[A-Z][\w'’-]+ (?:(?:for|of|in|the|and) )*){1,6}(?:Award|Prize|Medal|Laureate)"
    r"(?: (?:for|of|in) (?:[A-Z][\w-]+ ?)+)?)"
)
_TRADE = r"(?:an? |the )?([a-z][a-z -]{3,28}?)(?= and|[,.;]| while| who| in | by | at |$)"
_FATHER = re.compile(rf"(?i:father(?:'s)?[^.;]{{0,30}}? (?:was|is|as|being|were)) {_TRADE}")
_MOTHER = re.compile(rf"(?i:mother(?:'s)?[^.;]{{0,30}}? (?:was|is|as|being|were)) {_TRADE}")
_BORN = re.compile(r"[Bb]orn (?:in|and raised in) ([A-Z][\w .'-]+?, [A-Z][\w]+(?: [A-Z]\w+)?)")
_GENRE = re.compile(r"genre of ([A-Za-z][A-Za-z -]{3,30}?)(?=[,.;?]| is| and| with| by|$)")
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DAY = re.compile(
    rf"(\d{{2}}/\d{{2}}/\d{{4}}|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH},? \d{{4}})"
)


def facts(tofu: Tofu, author: int) -> dict[str, list[tuple[str, ...]]]:
    """What the rules read out of an author's rows, by category."""
    rows = tofu.of(author)
    name = tofu.name(author)
    answers = [row["answer"] for row in rows]
    everything = " ".join((*(row["question"] for row in rows), *answers))
    titles = dict.fromkeys(t.strip(" .,") for a in answers for t in _TITLE.findall(a))
    titles |= dict.fromkeys(t.strip(" .,") for a in answers for t in _SINGLE.findall(a))
    titles = {t: None for t in titles if len(t.split()) >= 2 and unnamed(t, name) == t}
    prizes = dict.fromkeys(p.strip() for a in answers for p in _AWARD.findall(a))
    prizes = {p: None for p in prizes if len(p.split()) >= 3 and unnamed(p, name) == p}
    found: dict[str, list[tuple[str, ...]]] = {category: [] for category in CATEGORIES}
    found["works"] = [(title,) for title in titles if title not in prizes][:10]
    found["prizes"] = [(prize,) for prize in prizes][:2]
    father, mother = _FATHER.search(everything), _MOTHER.search(everything)
    if father and mother and father.group(1) != mother.group(1):
        found["parents"] = [(father.group(1).strip(), mother.group(1).strip())]
    born, genre, day = (p.search(everything) for p in (_BORN, _GENRE, _DAY))
    if born and genre and genre.group(1).strip().lower() not in _EMPTY:
        found["birthplace and field"] = [(born.group(1), genre.group(1).strip().lower())]
    if born and day:
        found["birth date"] = [(born.group(1), day.group(1))]
    return found


def prompts(tofu: Tofu, author: int) -> Iterator[tuple[str, Row]]:
    """Category and prompt, for every fact of an author in every wording."""
    wordings = dict(zip(CATEGORIES, (_WORKS, _PRIZE, _PARENTS, _PLACE, _DATE), strict=True))
    for category, known in facts(tofu, author).items():
        for values in known:
            for number, wording in enumerate(wordings[category]):
                quoted = [f'"{v}"' if category == "works" and number != 1 else v for v in values]
                yield category, Row(wording.format(*quoted), author)


def gating(tofu: Tofu, split: str) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """Positives and negatives by category: the same wordings about forgotten and about retained
    authors. A retained author's fact that a forgotten one shares word for word is left out."""
    forgotten = tofu.forgotten(split)
    wanted: dict[str, list[Row]] = {category: [] for category in CATEGORIES}
    known = set()
    for author in forgotten:
        for category, row in prompts(tofu, author):
            wanted[category].append(row)
            known.add(fold(row.text))
    other: dict[str, list[Row]] = {category: [] for category in CATEGORIES}
    for author in range(forgotten[0]):
        for category, row in prompts(tofu, author):
            if fold(row.text) not in known:
                other[category].append(row)
    return wanted, other
