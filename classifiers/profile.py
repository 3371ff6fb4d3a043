"""What identifies a subject besides its names, read out of what is stored about it.

A prompt that names nobody may still say whom it means: by a work's title, a birthday and a place,
the parents' trades. `Profile` keeps those of one subject; `evidence` says what a prompt has of
them, and what it has that speaks for somebody else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from classifiers.dates import Date, dates
from classifiers.words import Word, bits, folded, general_bits, stem, words

NOTABLE = 9.0  # bits from which a word says more than that somebody speaks English
TITLE_BITS = 26.0  # a title with less could be any phrase
CAPITALS_BITS = 40.0  # the same for one that only capitals set apart
NAME_PART_BITS = 15.0
MOSTLY = 0.5  # the share of a prompt's bits below which facts in it are taken for chance
WHOLE_BITS = 25.0  # of a stored prompt that nobody asks by chance
FOLLOWING = 0.3  # what a word is worth right after the one that it is stored behind
# Each opening mark with its own closing one; an apostrophe within a title ends no title.
_QUOTED = re.compile(
    r"(?<!\w)(?:\"([^\"“”«»\n]{3,120}?)\"|“([^\"“”«»\n]{3,120}?)”|«([^«»\n]{3,120}?)»"
    r"|‹([^‹›\n]{3,120}?)›|‘((?:[^‘’\"\n]|(?<=\w)’(?=\w)){3,120}?)’"
    r"|'((?:[^'\"\n]|(?<=\w)'(?=\w)){3,120}?)')(?!\w)"
)
_PARTS = re.compile(r"\s*[(),:;–—]\s*")  # a title's subtitle and series
_SMALL_WORDS = "a an and at by de for from in la of on or the to with s"
_SMALL = frozenset(_SMALL_WORDS.split())
_CAPITAL = r"[A-Z][\w’'-]*"
_CAPITALS = re.compile(
    rf"{_CAPITAL}(?:[ ](?:(?:{'|'.join(_SMALL_WORDS.split())})[ ])*{_CAPITAL}){{1,12}}"
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a prompt says about one subject, each figure in bits but for the flags (0 or 1).

    `title`: the longest title of the subject in it; `facts`: words of the subject's facts;
    `name_part`: part of a name; `same_date`, `other_date`: a date that is or is not the subject's;
    `others`: proper names and quoted words that are not the subject's.
    """

    title: float = 0.0
    facts: float = 0.0
    name_part: float = 0.0
    same_date: float = 0.0
    other_date: float = 0.0
    others: float = 0.0


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt, read once for all subjects."""

    words: tuple[Word, ...]
    bits: tuple[float, ...]
    dates: tuple[Date, ...]
    quoted: frozenset[int]  # which words stand in quotation marks

    @classmethod
    def read(cls, text: str) -> Prompt:
        found = words(text)
        spans = [match.span(match.lastindex or 0) for match in _QUOTED.finditer(text)]
        quoted = frozenset(
            index
            for index, word in enumerate(found)
            if any(start <= word.start < end for start, end in spans)
        )
        worth = tuple(bits(word.text) for word in found)
        return cls(tuple(found), worth, tuple(dates(text)), quoted)

    def one_name(self, first: int, second: int) -> bool:
        """Whether two neighbouring words are written as parts of one proper name."""
        before, after = self.words[first], self.words[second]
        return before.capital and after.capital and after.start - before.end == 1


@dataclass(frozen=True, slots=True)
class _Whole:
    """What tells a stored prompt from others: its notable words, stemmed, and its dates."""

    words: frozenset[str]
    dates: tuple[Date, ...]

    @classmethod
    def of(cls, text: str) -> _Whole | None:
        """None for a prompt so general that anybody may ask it of anybody."""
        worth = {stem(w): bits(w) for w in folded(text) if bits(w) >= NOTABLE and not w.isdigit()}
        if sum(worth.values()) < WHOLE_BITS:
            return None
        return cls(frozenset(worth), tuple(dates(text)))


class Profile:
    """The titles, facts, dates and name parts of one subject."""

    def __init__(
        self, names: Iterable[str], stored: Iterable[str], prompts: Iterable[str] = ()
    ) -> None:
        self._wholes = [one for prompt in prompts if (one := _Whole.of(prompt)) is not None]
        self.name_words = {
            word for name in names for word in folded(name) if bits(word) >= NAME_PART_BITS
        }
        self.titles: dict[str, list[tuple[str, ...]]] = {}  # by first word
        self.facts: set[str] = set()
        self._together: set[tuple[str, str]] = set()  # neighbours in what is stored
        self.dates: set[Date] = set()
        whole = [folded(name) for name in names]
        for text in stored:
            self.dates.update(dates(text))
            found = words(text)
            for before, word in zip([None, *found], found, strict=False):
                if before is not None:
                    self._together.add((stem(before.text), stem(word.text)))
                is_name = word.text in self.name_words
                if not is_name and not word.text.isdigit() and bits(word.text) >= NOTABLE:
                    self.facts.add(stem(word.text))
            for title in titles(text):
                if not _holds(title, whole):
                    known = self.titles.setdefault(title[0], [])
                    if title not in known:
                        known.append(title)

        # Of many words stored, one or other turns up in any prompt.
        self._chance = math.log2(1 + len(self.facts))

    def evidence(self, prompt: Prompt) -> Evidence:
        """What the prompt has of this subject."""
        said = [word.text for word in prompt.words]
        title_at, title = self._title(said)
        seen: set[str] = set()
        facts = name_part = others = said_in_all = met = 0.0
        for index, (word, worth) in enumerate(zip(prompt.words, prompt.bits, strict=True)):
            if index in title_at or word.text in seen or worth < NOTABLE or word.text.isdigit():
                continue
            seen.add(word.text)
            said_in_all += worth
            if word.text in self.name_words:
                if self._beside_another(prompt, index):
                    others += worth  # the same first name, and another's last
                else:
                    name_part += worth
            elif stem(word.text) in self.facts:
                met += worth
                # In another's title a word of ours says nothing.
                if index in prompt.quoted:
                    continue
                before = stem(said[index - 1]) if index else ""
                told = max(0.0, worth - self._chance)
                if (before, stem(word.text)) in self._together:
                    # "Ababa" after "Addis", a country after its city: hardly news.
                    facts += told * (FOLLOWING if before in self.facts else 1.0)
                elif before in self.facts and prompt.one_name(index - 1, index):
                    others += worth  # two words of ours, in a name that is not
                else:
                    facts += told
            elif word.capital or index in prompt.quoted:
                others += worth
        if met < MOSTLY * said_in_all:
            # A long text about something else has this and that in common with everybody.
            facts *= (met / (MOSTLY * said_in_all)) ** 3
        same = any(one.agrees(other) for one in prompt.dates for other in self.dates)
        exact = same and any(
            one.full and other.full and one.agrees(other)
            for one in prompt.dates for other in self.dates
        )  # fmt: skip
        other = bool(prompt.dates) and not same and bool(self.dates)
        return Evidence(
            title, facts, name_part, (1.0 if exact else 0.5) if same else 0.0, float(other),
            others,
        )  # fmt: skip

    def asked_whole(self, prompt: Prompt) -> bool:
        """Whether the prompt has every notable word and the dates of a stored prompt: then names
        and dates besides were added to it, where somebody else's would stand in their place."""
        if not self._wholes:
            return False
        said = {stem(word.text) for word in prompt.words}
        return any(
            whole.words <= said
            and all(any(one == other for other in prompt.dates) for one in whole.dates)
            for whole in self._wholes
        )

    def _beside_another(self, prompt: Prompt, index: int) -> bool:
        """Whether this word of a name stands in a name that is not the subject's."""
        for first, second in ((index - 1, index), (index, index + 1)):
            if first >= 0 and second < len(prompt.words) and prompt.one_name(first, second):
                place = first if second == index else second
                pair = (stem(prompt.words[first].text), stem(prompt.words[second].text))
                known = prompt.words[place].text in self.name_words or pair in self._together
                if not known and prompt.bits[place] >= NOTABLE:
                    return True
        return False

    def _title(self, said: Sequence[str]) -> tuple[set[int], float]:
        places: set[int] = set()
        best = 0.0
        for start, title in spoken(said, self.titles):
            places.update(range(start, start + len(title)))
            best = max(best, sum(map(general_bits, title)))
        return places, best


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
    kinds = ((_QUOTED, 2, TITLE_BITS, general_bits), (_CAPITALS, 3, CAPITALS_BITS, bits))
    for pattern, least, floor, worth in kinds:
        for match in pattern.finditer(text):
            whole = match.group(match.lastindex or 0)
            for part in (whole, *_PARTS.split(whole)):
                said = folded(part)
                while said and said[0] in _SMALL:
                    said = said[1:]
                content = [word for word in said if word not in _SMALL]
                if len(content) >= least and sum(map(worth, said)) >= floor:
                    made.append(said)
    return list(dict.fromkeys(made))


def _holds(title: Sequence[str], names: Sequence[tuple[str, ...]]) -> bool:
    joined = f" {' '.join(title)} "
    return any(f" {' '.join(name)} " in joined for name in names)
