"""ROUGE-L between an answer and its reference: recall as TOFU has it, F1 as MUSE and DUSK do.

Source: Lin, ROUGE (2004); tokens as in Google's scorer: runs of a-z and 0-9 of the lower-cased
text, those of more than three letters stemmed where a stemmer is on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from guard.evaluate.metrics.stemming import stem
from guard.subsequence import common_length

_WORD = re.compile(r"[a-z0-9]+")
_STEM_FROM = 4  # letters


@dataclass(frozen=True, slots=True)
class Rouge:
    """Shares of the longest common subsequence: of the reference, of the answer, and their F1."""

    recall: float
    precision: float

    @property
    def f1(self) -> float:
        """Harmonic mean of the two; 0 when both are."""
        total = self.recall + self.precision
        return 2 * self.recall * self.precision / total if total else 0.0


def rouge_words(text: str, *, stemmed: bool) -> list[str]:
    """The tokens that ROUGE compares."""
    words = _WORD.findall(text.lower())
    return [stem(word) if len(word) >= _STEM_FROM else word for word in words] if stemmed else words


def rouge_l(reference: str, answer: str, *, stemmed: bool = True) -> Rouge:
    """ROUGE-L of one answer. Either text without words gives 0."""
    wanted, said = (rouge_words(text, stemmed=stemmed) for text in (reference, answer))
    if not wanted or not said:
        return Rouge(0.0, 0.0)
    common = common_length(wanted, said)
    return Rouge(common / len(wanted), common / len(said))
