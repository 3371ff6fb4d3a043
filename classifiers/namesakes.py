"""Whom a name stands for: the subject, or a namesake who stays?

A namesake is told by a description ("the footballer of the same name"): its words stand in what is
asked, or what is asked is nearer to it than to anything stored about the subject. Who mixes the
two, and who says nothing about which is meant, means the subject.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from classifiers.encoder import Vectors
from classifiers.profile import NOTABLE, Profile, Prompt
from classifiers.scale import SAME, Scale
from classifiers.words import LITTLE, bits, folded, general_bits, stem

STAND_IN = "somebody"
NEARER = 0.1  # cosine by which a namesake must be nearer than the subject
NEAR = 0.3
THRESHOLD = 0.5
SHORTEST = 5  # letters of a stem that another may go on from
MOST_TOLD = 0.5  # the share of a description's information that tells the namesake
OWN_FACT = 12.0  # bits of a word of the subject's own facts with which it is meant after all
# "I do not mean the footballer": then the description says whom it is not about.
_DENIED = re.compile(
    r"\b(?:not|isn['’]?t|aren['’]?t|wasn['’]?t|never|rather than|instead of|other than|unlike|nor|"
    r"no,|both|also)\b",
    re.IGNORECASE,
)


class Namesakes:
    """The namesakes of one subject, by `descriptions`; `stored` is what is known of the subject,
    and `vectors` those of the descriptions, then of what is stored, all masked."""

    def __init__(
        self,
        names: Sequence[str],
        descriptions: Sequence[str],
        stored: Sequence[str],
        vectors: Vectors,
        scale: Scale = SAME,
    ) -> None:
        self._scale = scale
        self._profile = Profile(names, stored)
        own = {word for name in names for word in folded(name)}
        self._told = [_notable(text, own) for text in descriptions]
        self._descriptions = vectors[: len(descriptions)]
        self._stored = vectors[len(descriptions) :]

    def score(self, texts: Sequence[str], asked: Vectors) -> float:
        """How surely a namesake is meant, in [0, 1]; one is from THRESHOLD on. `asked`: the
        vectors of the masked sentences of `texts`."""
        said = "\n".join(texts)
        found = self._profile.evidence(Prompt.read(said))
        spoken = {stem(word): bits(word) for word in folded(said)}
        described = {word for told in self._told for word in told}
        own = max((b for w, b in spoken.items() if w in self._profile.facts - described), default=0)
        if found.title or found.same_date == 1.0 or own >= OWN_FACT:
            return 0.0
        shares = [
            sum(worth for word, worth in told.items() if _said(word, spoken)) / sum(told.values())
            for told in self._told
            if told
        ]
        near = self._scale.to_shared(float((asked @ self._descriptions.T).max()))
        rival = 0.0
        if len(self._stored):
            rival = self._scale.to_shared(float((asked @ self._stored.T).max()))
        if max(shares, default=0.0) >= MOST_TOLD:
            return float(rival < near + NEARER and not _DENIED.search(said))
        if not len(self._stored) or near < NEAR:
            return 0.0
        return min(1.0, max(0.0, THRESHOLD + (near - rival - NEARER)))


def _said(word: str, spoken: Collection[str]) -> bool:
    """Whether a stem is there, or a longer or shorter one of it: football, footballer."""
    return word in spoken or any(
        min(len(word), len(other)) >= SHORTEST
        and (word.startswith(other) or other.startswith(word))
        for other in spoken
    )


def _notable(description: str, names: set[str]) -> dict[str, float]:
    """The stems that tell a description apart, with their bits."""
    found = {}
    for word in folded(description):
        # "novelist" says little among people, and all where it is what the namesake is.
        worth = bits(word) if bits(word) > LITTLE else general_bits(word)
        if word not in names and worth >= NOTABLE and word not in ("name", "same", "namesake"):
            found[stem(word)] = worth
    return found
