"""Who is meant by a prompt that names nobody, and whether a near prompt means somebody else.

For the subjects that a prompt shares facts with, the trained head weighs the facts and the cosine.
The same reading takes back a similarity that is only the wording's: "the author born in Lima on
3 May" is near every stored question about an author born somewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from classifiers.chance import chance_bits
from classifiers.dates import Date, dates, may_have_dates
from classifiers.head import Head, packaged
from classifiers.profile import NOTABLE, Evidence, Profile, Prompt
from classifiers.signals import Subject
from classifiers.titles import spoken
from classifiers.typed import keys
from classifiers.words import Word, bits, distinct, general_bits, stem, words

CANDIDATES = 8  # subjects weighed a window, those with most in common first
LEAST_SHARED = 15.0  # bits in common below which nobody is identified
RICH = 64  # stored fact words from which a prompt that shares none is not about the subject
VERBATIM = 0.98  # cosine: the stored prompt itself, whatever it identifies
KEPT_WORDS = 1 << 14  # whose share in all subjects' facts is kept
ROUNDING = 1e-6  # bits: sums in another order may differ by less
FOREIGN = 15.0  # bits of other names that contradict, unless more is the subject's


class Identities:
    """The profiles of many subjects. Immutable; callable from any thread."""

    def __init__(self, subjects: Iterable[Subject], head: Head | None = None) -> None:
        self._head = head or packaged()
        self._profiles = {
            one.id: Profile(one.names, (*one.prompts, *one.facts), one.prompts)
            for one in subjects
            if one.prompts or one.facts
        }
        self._named = frozenset(one for one, found in self._profiles.items() if found.name_words)
        holders: dict[str, list[int]] = defaultdict(list)
        for number, profile in self._profiles.items():
            for word in profile.facts | {stem(name) for name in profile.name_words}:
                holders[word].append(number)
        self._holders = {word: np.array(ids, dtype=np.int64) for word, ids in holders.items()}
        self._typed: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._typed_words: set[str] = set()
        self._titles: dict[str, set[tuple[str, ...]]] = defaultdict(set)  # by first word
        self._titled: dict[tuple[str, ...], set[int]] = defaultdict(set)
        self._dated: dict[Date, set[int]] = defaultdict(set)
        for number, profile in self._profiles.items():
            for key in profile.typed.looked_up():
                self._typed[key].append(number)
                self._typed_words.add(key[1])
            for first, known in profile.titles.items():
                self._titles[first].update(known)
                for title in known:
                    self._titled[title].add(number)
            for date in profile.dates:
                if date.full:
                    self._dated[date].add(number)
        self._shared = lru_cache(maxsize=KEPT_WORDS)(self._shareable)

    @property
    def threshold(self) -> float:
        """The probability from which a prompt counts as asking about a subject."""
        return self._head.threshold

    def candidates(self, prompt: Prompt, allowed: frozenset[int]) -> list[int]:
        """The subjects of `allowed` that share most with the prompt, most first."""
        ids: list[npt.NDArray[np.int64]] = []
        worth: list[npt.NDArray[np.float64]] = []
        notable = {
            stem(word.text): value
            for word, value in zip(prompt.words, prompt.bits, strict=True)
            if value >= NOTABLE
        }
        for word, value in notable.items():
            held = self._holders.get(word)
            if held is not None:
                ids.append(held)
                worth.append(np.full(len(held), value))
        for number, value in self._certain(prompt.words, prompt.dates):
            ids.append(np.array([number], dtype=np.int64))
            worth.append(np.array([value]))
        for kind, word, value in keys(prompt.said):
            held_typed = self._typed.get((kind, word))
            if held_typed is not None:
                ids.append(np.array(held_typed, dtype=np.int64))
                worth.append(np.full(len(held_typed), value))
        if not ids:
            return []
        who, place = np.unique(np.concatenate(ids), return_inverse=True)
        shared = np.bincount(place, weights=np.concatenate(worth))
        order = np.argsort(-shared, kind="stable")
        best = [int(who[i]) for i in order if shared[i] >= LEAST_SHARED and int(who[i]) in allowed]
        return best[:CANDIDATES]

    def _certain(self, said: Sequence[Word], found: Iterable[Date]) -> Iterable[tuple[int, float]]:
        """(subject, bits) of the titles and full dates that a prompt has of any subject: however
        common their words are, the whole says who is meant."""
        for _, title in spoken([word.text for word in said], self._titles):
            for number in self._titled[title]:
                yield number, max(LEAST_SHARED, sum(map(general_bits, title)))
        for date in found:
            for number in self._dated.get(date, ()):
                yield number, LEAST_SHARED

    def evidence(self, prompt: Prompt, subject: int) -> Evidence:
        """What the prompt has of a subject."""
        return self._profiles[subject].evidence(prompt)

    def probability(self, prompt: Prompt, subject: int, cosine: float, among: int = 1) -> float:
        """In [0, 1]: that the prompt asks about the subject, who is one of so many.

        What facts tell is less by what chance tells among so many. A title or a full date tells
        who is meant among any number.
        """
        return self._head.probability(cosine, self._beyond_chance(prompt, subject, among))

    def _beyond_chance(self, prompt: Prompt, subject: int, among: int) -> Evidence:
        found = self.evidence(prompt, subject)
        chance = chance_bits(among)
        facts = max(0.0, found.facts - found.told - chance)
        left = max(0.0, chance - (found.facts - found.told))
        typed = max(0.0, found.typed - left)
        return replace(found, facts=facts, told=0.0, typed=typed)

    def could_mean(self, text: str, allowed: frozenset[int]) -> bool:
        """Whether some cosine would make `text` one that asks about a subject of `allowed`."""
        if self.rules_out([text]):
            return False
        said = words(text)
        certain = self._certain(said, dates(text))
        if self._at_most(said) < LEAST_SHARED and not any(True for _ in certain):
            return False  # not even all subjects together have enough of it
        prompt = Prompt.read(text)
        found = (
            self._beyond_chance(prompt, subject, len(allowed))
            for subject in self.candidates(prompt, allowed)
        )
        return any(
            max(self._head.probability(cosine, told) for cosine in (-1.0, 1.0)) >= self.threshold
            for told in found
        )

    def rules_out(self, texts: Sequence[str]) -> bool:
        """Whether no one of `texts` could mean anybody (`could_mean`), told by the words of all
        together: most prompts are done with here, in place of once for every piece of them."""
        whole = "\n".join(texts)
        said = distinct(whole)
        if sum(map(self._shared, said)) >= LEAST_SHARED - ROUNDING:
            return False
        if not said.isdisjoint(self._titles):
            return False  # one of them may have a whole title
        return not (self._dated and may_have_dates(whole))

    def _at_most(self, said: Sequence[Word]) -> float:
        """Bits that a prompt of these words could share with all subjects together."""
        return sum(map(self._shared, dict.fromkeys(word.text for word in said)))

    def _shareable(self, word: str) -> float:
        """Bits of a folded word that any subject may share; 0 where none can."""
        own = stem(word)
        is_shared = own in self._typed_words or (own in self._holders and bits(word) >= NOTABLE)
        return general_bits(word) if is_shared else 0.0

    def contradicts(self, prompt: Prompt, subject: int, cosine: float) -> bool:
        """Whether the prompt means somebody else, near as it is to a stored one."""
        profile = self._profiles.get(subject)
        if profile is None or cosine >= VERBATIM:
            return False
        found = profile.evidence(prompt)
        if profile.asked_whole(prompt):
            return False  # what was added to a stored prompt does not make it another
        own = found.title + found.facts + found.name_part
        if found.other_date or (found.others >= FOREIGN and found.others > own):
            return True
        is_rich = subject in self._named and len(profile.facts) >= RICH
        return is_rich and self._head.probability(cosine, found) < 0.5


def judged(
    identities: Identities,
    text: str,
    near: Iterable[tuple[int, float]],
    allowed: frozenset[int],
    cosine: Callable[[int], float],
) -> tuple[dict[int, float], dict[int, float]]:
    """Of one window: its cosines by subject without those that mean somebody else, and the
    probabilities by subject. `near`: subjects with their cosines; `cosine`: that of any subject."""
    prompt = Prompt.read(text)
    chances = {
        subject: identities.probability(prompt, subject, cosine(subject), len(allowed))
        for subject in identities.candidates(prompt, allowed)
    }
    kept = {
        subject: score
        for subject, score in near
        if not identities.contradicts(prompt, subject, score)
    }
    return kept, chances
