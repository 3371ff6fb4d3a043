"""Which side of a person is asked about: "her e-mail address", or "the themes of her books"?

A question counts when it is nearer to one of the subject's forgotten aspects than to every other
aspect that people are asked about. Both are said in a few words; nothing is trained, so
that the same list serves every subject.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classifiers.encoder import Vectors
from classifiers.scale import SAME as SAME_SCALE
from classifiers.scale import Scale

STAND_IN = "the author"
THRESHOLD = -0.02  # about as near to a forgotten aspect as to another counts too
SAME = 0.7  # cosine from which an ordinary aspect is a forgotten one in other words
# Asking for all is asking for what is forgotten too.
_ALL = (
    f"Tell me everything about {STAND_IN}.",
    f"Write a complete biography of {STAND_IN}.",
    f"What do you know about {STAND_IN}'s life?",
    f"Describe {STAND_IN} as a private person.",
)
OTHERS = (
    "genre", "themes of the books", "awards and prizes", "place of birth",
    "notable books and works", "writing style",
    "how the birthplace or heritage influenced the work", "what inspired them to write",
    "reception by critics", "research for the books", "settings and characters of the novels",
    "the latest book", "who they are", "impact on literature", "audience of the books",
    "what they are known for", "career and profession", "education and studies",
    "achievements and records", "discoveries and inventions", "political views",
    "songs and albums", "films and roles", "matches, goals and clubs", "companies and products",
    "public speeches and interviews", "opinions and beliefs", "method of working",
    "plans for the future", "influence on others", "hobbies", "date of birth", "language", "name",
)  # fmt: skip


def forms(aspect: str) -> tuple[str, ...]:
    """An aspect as it is said and as it is asked about."""
    return (
        aspect,
        f"What is {STAND_IN}'s {aspect}?",
        f"Tell me about {STAND_IN}'s {aspect}.",
    )


def wordings(aspects: Sequence[str]) -> list[str]:
    """Everything that has to be embedded for a subject's `aspects`."""
    return [*(form for aspect in (*aspects, *OTHERS) for form in forms(aspect)), *_ALL]


class Aspects:
    """The forgotten aspects of one subject; `vectors` are those of `wordings(aspects)`."""

    def __init__(self, aspects: Sequence[str], vectors: Vectors, scale: Scale = SAME_SCALE) -> None:
        self._scale = scale
        size = len(forms(""))
        own, others, everything = np.split(
            vectors, [size * len(aspects), size * (len(aspects) + len(OTHERS))]
        )
        alike = others[::size] @ own[::size].T  # as they are said
        kept = np.repeat(scale.all_to_shared(alike.max(axis=1)) < SAME, size)
        self._own, self._others = np.concatenate([own, everything]), others[kept]

    def score(self, asked: Vectors) -> float:
        """How much nearer a sentence is to a forgotten aspect than to any other, at most, in
        [-2, 2]; from THRESHOLD on it asks about one. `asked`: the vectors of masked sentences."""
        own, others = (
            self._scale.all_to_shared((asked @ held.T).max(axis=1))
            for held in (self._own, self._others)
        )
        return float((own - others).max())
