"""Names that are almost right: mistyped, initials, another order, a middle name left out.

Every word of a name is looked up by its deletions (Garbe's symmetric delete: two words one edit
apart share a string that a deletion makes of them), so that the cost hangs on the prompt and not
on how many names there are. A name counts when its first and its last word are there, in any
order, with nothing but its middle ones between them, and together tell enough.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from classifiers.chance import chance_bits
from classifiers.signals import NEAR_NAME, Signal, Subject
from classifiers.words import Word, bits, distinct, words

ENOUGH = 29.0  # bits that the words found must tell
SLIP = 5.0  # bits that an edit costs
INITIAL = 4.0  # bits of a letter that stands for a given name
SHORTEST = 4  # letters of a word that may be mistyped
TWO_SLIPS = 8  # letters from which two edits are allowed
LONGEST = 40  # letters; what is longer is no word of a name
KEPT_WORDS = 1 << 14  # whose likes are kept: prompts say the same few thousand again and again


@dataclass(frozen=True, slots=True)
class _Name:
    subject: int
    parts: tuple[str, ...]
    worth: tuple[float, ...]


class NearNames:
    """Finds the names of `subjects` in the words of a text, give or take a letter or two.

    One-word names are left to the exact matcher: too much is a letter away from one word.
    """

    def __init__(self, subjects: Iterable[Subject]) -> None:
        self._ending: dict[str, list[_Name]] = defaultdict(list)  # by first and by last word
        self._near: dict[str, set[str]] = defaultdict(set)  # name words by their deletions
        for subject in subjects:
            for name in dict.fromkeys(subject.names):
                parts = tuple(word.text for word in words(name) if len(word.text) <= LONGEST)
                if len(parts) < 2:
                    continue
                entry = _Name(subject.id, parts, tuple(map(bits, parts)))
                self._ending[parts[-1]].append(entry)
                if parts[0] != parts[-1]:
                    self._ending[parts[0]].append(entry)
        for part in self._ending:
            for shape in _deletions(part):
                self._near[shape].add(part)
        self._alike = lru_cache(maxsize=KEPT_WORDS)(self._looked_up)

    def __call__(self, texts: Iterable[str], subjects: frozenset[int]) -> list[Signal]:
        """A fired signal for each of `subjects` whose name is nearly there, in order of id.

        The score is the share of the name's bits that were found, at most 1.
        """
        best: dict[int, float] = {}
        enough = ENOUGH + chance_bits(len(subjects))
        for text in texts:
            if not self._ending or not any(map(self._alike, distinct(text))):
                continue  # nearly always: no word is nearly part of a name
            said = words(text)
            for place, word in enumerate(said):
                for part in self._alike(word.text):
                    for name in self._ending[part]:
                        if name.subject in subjects:
                            score = _told(name, said, place, enough)
                            if score > best.get(name.subject, 0.0):
                                best[name.subject] = score
        return [Signal(NEAR_NAME, subject, best[subject], True) for subject in sorted(best)]

    def _looked_up(self, word: str) -> frozenset[str]:
        """The name words that `word` is, give or take its edits."""
        if len(word) > LONGEST:
            return frozenset()
        found = {part for shape in _deletions(word) for part in self._near.get(shape, ())}
        return frozenset(part for part in found if slips(word, part) is not None)


def _told(name: _Name, said: Sequence[Word], place: int, enough: float) -> float:
    """The share of the name's bits in the words around `place`; 0 when it is not there."""
    reach = len(name.parts)
    around = said[max(0, place - reach) : place + reach + 1]
    found: list[tuple[int, float]] = []  # place in `around`, bits
    for index, (part, worth) in enumerate(zip(name.parts, name.worth, strict=True)):
        is_last = index == len(name.parts) - 1
        hit = _best(part, worth, around, may_be_initial=not is_last)
        if hit is None:
            if index in (0, len(name.parts) - 1):
                return 0.0
            continue
        found.append(hit)
    places = sorted({at for at, _ in found})
    if len(places) < len(found) or places[-1] - places[0] >= len(places):
        return 0.0
    total = sum(told for _, told in found)
    return min(1.0, total / sum(name.worth)) if total >= enough else 0.0


def _best(
    part: str, worth: float, around: Sequence[Word], *, may_be_initial: bool
) -> tuple[int, float] | None:
    best: tuple[int, float] | None = None
    for at, word in enumerate(around):
        edits = slips(word.text, part)
        if edits is not None:
            told = worth - SLIP * edits
        elif may_be_initial and word.text == part[0] and word.capital:
            told = INITIAL
        else:
            continue
        if best is None or told > best[1]:
            best = (at, told)
    return best


def slips(word: str, part: str) -> int | None:
    """How many edits (a letter more, less, other, or two swapped) lie between the two; None when
    more than a word of that length is allowed."""
    if word == part:
        return 0
    shorter = min(len(word), len(part))
    if shorter < SHORTEST or abs(len(word) - len(part)) > 2:
        return None
    edits = _distance(word, part)
    return edits if edits <= (2 if shorter >= TWO_SLIPS else 1) else None


def _distance(one: str, other: str) -> int:
    """Optimal string alignment distance."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, left in enumerate(one, start=1):
        row = [i]
        for j, right in enumerate(other, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def _deletions(word: str) -> set[str]:
    """The word and what is left of it without any one letter; of a long one, where two letters may
    be wrong, its beginning and its end too: one of them is whole, or only one letter is wrong."""
    shapes = {word}
    if len(word) >= SHORTEST:
        shapes |= {word[:i] + word[i + 1 :] for i in range(len(word))}
    if len(word) >= TWO_SLIPS:
        shapes |= {f"{word[:3]}-", f"-{word[-3:]}"}
    return shapes
