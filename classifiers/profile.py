"""What identifies a subject besides its names, read out of what is stored about it.

A prompt that names nobody may still say whom it means: by a work's title, a birthday and a place,
the parents' trades. `Profile` keeps those of one subject; `evidence` says what a prompt has of
them, and what it has that speaks for somebody else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from classifiers.dates import Date, dates
from classifiers.relations import Said, read
from classifiers.titles import QUOTED, SMALL, names_somebody, spoken, titles
from classifiers.typed import TypedFacts
from classifiers.words import Word, bits, folded, general_bits, stem, words

NOTABLE = 9.0  # bits from which a word says more than that somebody speaks English
NAME_PART_BITS = 15.0
MOSTLY = 0.5  # the share of a prompt's bits below which facts in it are taken for chance
WHOLE_BITS = 25.0  # of a stored prompt that nobody asks by chance
KEPT_PROMPTS = 256
KEPT_CHARACTERS = 2000
FOLLOWING = 0.3  # what a word is worth besides the one that it is stored beside
# What one word is worth, however rare, and two: they may be said of anything.
FEW_WORDS = {1: 0.5, 2: 0.75}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a prompt says about one subject, each figure in bits but for the flags (0 or 1).

    `title`: the longest title of the subject in it; `written`: quoted or in capitals, as one is;
    `facts`: words of the subject's facts, of which `told` is what `typed` counts too;
    `name_part`: part of a name; `same_date`, `other_date`: a date that is or is not the subject's;
    `others`: proper names and quoted words that are not the subject's; `typed`: facts said in the
    relation in which they are stored; `differs`: relations in which something else is said.
    """

    title: float = 0.0
    facts: float = 0.0
    name_part: float = 0.0
    same_date: float = 0.0
    other_date: float = 0.0
    others: float = 0.0
    typed: float = 0.0
    differs: float = 0.0
    told: float = 0.0
    written: float = 0.0


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt, read once for all subjects."""

    words: tuple[Word, ...]
    bits: tuple[float, ...]
    dates: tuple[Date, ...]
    quoted: frozenset[int]  # which words stand in quotation marks
    said: tuple[Said, ...] = ()

    @classmethod
    def read(cls, text: str) -> Prompt:
        """What `text` says. The same system prompt comes with every request, and what the first
        stage has read goes on to the next: short texts are kept for a while."""
        return _read_lately(text) if len(text) <= KEPT_CHARACTERS else cls._read(text)

    @classmethod
    def _read(cls, text: str) -> Prompt:
        found = words(text)
        spans = [match.span(match.lastindex or 0) for match in QUOTED.finditer(text)]
        quoted = frozenset(
            index
            for index, word in enumerate(found)
            if any(start <= word.start < end for start, end in spans)
        )
        worth = tuple(bits(word.text) for word in found)
        return cls(tuple(found), worth, tuple(dates(text)), quoted, read(text))

    def one_name(self, first: int, second: int) -> bool:
        """Whether two words are written as parts of one proper name: neighbours in capitals, or
        with nothing but small words between them ("Winds of Change")."""
        part = self.words[first : second + 1]
        return (
            part[0].capital
            and part[-1].capital
            and all(word.text in SMALL for word in part[1:-1])
            and all(after.start - before.end == 1 for before, after in pairwise(part))
        )

    def written(self, places: Set[int]) -> bool:
        """Whether the words at `places` are written as a title is, quoted or in capitals."""
        return bool(places) and all(
            index in self.quoted or self.words[index].capital or self.words[index].text in SMALL
            for index in places
        )


@lru_cache(maxsize=KEPT_PROMPTS)
def _read_lately(text: str) -> Prompt:
    return Prompt._read(text)


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


@dataclass(slots=True)
class _Counted:
    """Bits of a prompt's words so far. `said`: of all; `met`: of those that are in the subject's
    facts; `facts_met`: what each of these would be worth alone; `apart`: how many of them are not
    stored beside another."""

    said: float = 0.0
    met: float = 0.0
    facts: float = 0.0
    told: float = 0.0
    name_part: float = 0.0
    others: float = 0.0
    apart: int = 0
    facts_met: dict[str, float] = field(default_factory=dict)

    def finish(self) -> None:
        """What is left of the facts where there is only one, or far more besides."""
        share = FEW_WORDS.get(self.apart, 1.0)
        if self.met < MOSTLY * self.said:
            # A long text about something else has this and that in common with everybody.
            share *= (self.met / (MOSTLY * self.said)) ** 3
        self.facts *= share
        self.told *= share


class Profile:
    """The titles, facts, dates and name parts of one subject."""

    def __init__(
        self, names: Iterable[str], stored: Iterable[str], prompts: Iterable[str] = ()
    ) -> None:
        self._wholes: dict[str, list[_Whole]] = {}  # each by one of its words
        for prompt in prompts:
            if (one := _Whole.of(prompt)) is not None:
                self._wholes.setdefault(min(one.words), []).append(one)
        self.name_words = {
            word for name in names for word in folded(name) if bits(word) >= NAME_PART_BITS
        }
        self.titles: dict[str, list[tuple[str, ...]]] = {}  # by first word
        self.facts: set[str] = set()
        self._together: set[tuple[str, str]] = set()  # neighbours in what is stored
        self._joined: set[tuple[str, str]] = set()  # the same over small words
        self.dates: set[Date] = set()
        whole = [folded(name) for name in names]
        stored = list(stored)
        self.typed = TypedFacts(stored)
        for text in stored:
            self.dates.update(dates(text))
            found = words(text)
            last = ""
            for before, word in zip([None, *found], found, strict=False):
                if before is not None:
                    self._together.add((stem(before.text), stem(word.text)))
                if word.text not in SMALL:
                    self._joined.add((last, stem(word.text)))
                    last = stem(word.text)
                is_name = word.text in self.name_words
                if not is_name and not word.text.isdigit() and bits(word.text) >= NOTABLE:
                    self.facts.add(stem(word.text))
            for title in titles(text):
                if not names_somebody(title, whole):
                    known = self.titles.setdefault(title[0], [])
                    if title not in known:
                        known.append(title)

        # Of many words stored, one or other turns up in any prompt.
        self._chance = math.log2(1 + len(self.facts))

    def evidence(self, prompt: Prompt) -> Evidence:
        """What the prompt has of this subject."""
        said = [word.text for word in prompt.words]
        title_at, title = self._title(said)
        typed = self.typed.compared(prompt.said)
        counted = self._counted(prompt, said, title_at, typed.told)
        pairs = [(one, other) for one in prompt.dates for other in self.dates if one.agrees(other)]
        exact = any(one.full and other.full for one, other in pairs)
        return Evidence(
            title=title,
            written=float(prompt.written(title_at)),
            facts=counted.facts,
            told=counted.told,
            name_part=counted.name_part,
            same_date=(1.0 if exact else 0.5) if pairs else 0.0,
            other_date=float(bool(prompt.dates) and bool(self.dates) and not pairs),
            others=counted.others,
            typed=typed.agrees,
            differs=typed.differs,
        )

    def _counted(
        self, prompt: Prompt, said: Sequence[str], skipped: Set[int], typed: Set[str]
    ) -> _Counted:
        """The words one by one; those of a title are `skipped`, those of `typed` facts told."""
        found = _Counted()
        seen: set[str] = set()
        for index, (word, worth) in enumerate(zip(prompt.words, prompt.bits, strict=True)):
            own = stem(word.text)
            if index in skipped or own in seen or worth < NOTABLE or word.text.isdigit():
                continue
            seen.add(own)
            found.said += worth
            if word.text in self.name_words:
                if self._beside_another(prompt, index):
                    found.others += worth  # the same first name, and another's last
                else:
                    found.name_part += worth
            elif own in self.facts:
                found.met += worth
                # In another's title a word of ours says nothing.
                if index not in prompt.quoted:
                    self._count_fact(found, prompt, said, index, word.text in typed)
            elif word.capital or index in prompt.quoted:
                found.others += worth
        found.finish()
        return found

    def _count_fact(
        self, found: _Counted, prompt: Prompt, said: Sequence[str], index: int, typed: bool
    ) -> None:
        """One word of the subject's facts."""
        place = next((i for i in range(index - 1, -1, -1) if said[i] not in SMALL), index)
        before = stem(said[place]) if place < index else ""
        own = stem(said[index])
        news = max(0.0, prompt.bits[index] - self._chance)
        beside = [
            worth
            for one, worth in found.facts_met.items()
            if (one, own) in self._joined or (own, one) in self._joined
        ]
        alone = news
        if beside:
            # "Ababa" and "Addis", a country and its city: the better one counts in full.
            news = max(FOLLOWING * news, news - (1.0 - FOLLOWING) * max(beside))
        elif before in self.facts and prompt.one_name(place, index):
            found.others += prompt.bits[index]  # two words of ours, in a name that is not
            return
        else:
            found.apart += 1
        found.facts_met[own] = alone
        found.facts += news
        found.told += news if typed else 0.0

    def asked_whole(self, prompt: Prompt) -> bool:
        """Whether the prompt has every notable word and the dates of a stored prompt: then names
        and dates besides were added to it, where somebody else's would stand in their place."""
        if not self._wholes:
            return False
        said = {stem(word.text) for word in prompt.words}
        return any(
            whole.words <= said and all(one in prompt.dates for one in whole.dates)
            for word in said
            for whole in self._wholes.get(word, ())
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
