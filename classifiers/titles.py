"""Titles in a text: what stands in quotation marks, or in capitals as titles do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from classifiers.words import bits, folded, general_bits

TITLE_BITS = 26.0  # a title with less could be any phrase
CAPITALS_BITS = 40.0  # the same for one that only capitals set apart
# Each opening mark with its own closing one; an apostrophe within a title ends no title.
QUOTED = re.compile(
    r"(?<!\w)(?:\"([^\"“”«»\n]{3,120}?)\"|“([^\"“”«»\n]{3,120}?)”|«([^«»\n]{3,120}?)»"
    r"|‹([^‹›\n]{3,120}?)›|‘((?:[^‘’\"\n]|(?<=\w)’(?=\w)){3,120}?)’"
    r"|'((?:[^'\"\n]|(?<=\w)'(?=\w)){3,120}?)')(?!\w)"
)
_PARTS = re.compile(r"\s*[(),:;–—]\s*")  # a title's subtitle and series
_SMALL_WORDS = "a an and at by de for from in la of on or the to with s"
SMALL = frozenset(_SMALL_WORDS.split())
_CAPITAL = r"[A-Z][\w’'-]*"
_CAPITALS = re.compile(
    rf"{_CAPITAL}(?:[ ](?:(?:{'|'.join(_SMALL_WORDS.split())})[ ])*{_CAPITAL}){{1,12}}"
)


def spoken(
    said: Sequence[str], titles: Mapping[str, Iterable[tuple[str, ...]]]
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(place, title) of the titles, kept by their first word, that are in folded words."""
    for start, word in enumerate(said):
        for title in titles.get(word, ()):
            if tuple(said[start : start + len(title)]) == title:
                yield start, title


def titles(text: str) -> list[tuple[str, ...]]:
    """What stands in quotation marks, or in capitals as titles do, as folded words."""
    made = []
    kinds = ((QUOTED, 2, TITLE_BITS, general_bits), (_CAPITALS, 3, CAPITALS_BITS, bits))
    for pattern, least, floor, worth in kinds:
        for match in pattern.finditer(text):
            whole = match.group(match.lastindex or 0)
            for part in (whole, *_PARTS.split(whole)):
                said = folded(part)
                while said and said[0] in SMALL:
                    said = said[1:]
                content = [word for word in said if word not in SMALL]
                if len(content) >= least and sum(map(worth, said)) >= floor:
                    made.append(said)
    return list(dict.fromkeys(made))


def names_somebody(title: Sequence[str], names: Sequence[tuple[str, ...]]) -> bool:
    """Whether one of `names`, as folded words, is in a title."""
    joined = f" {' '.join(title)} "
    return any(f" {' '.join(name)} " in joined for name in names)
