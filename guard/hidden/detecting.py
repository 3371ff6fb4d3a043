"""The signal `hidden` beside the signals of the other detectors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np

from classifiers import BatchedEncoder, Nearest, Signal, TooManyTokens
from classifiers.prompt_classifier import PromptClassifier
from classifiers.signals import HIDDEN


class WithHidden:
    """A nearest-prompt detector that also asks the classifiers of some subjects.

    `encoder`: the hidden states, shared by all sets; `classifiers`: by subject. The score of a
    prompt is the highest probability of its windows.
    """

    def __init__(
        self,
        nearest: Nearest,
        encoder: BatchedEncoder,
        classifiers: Mapping[int, PromptClassifier],
        *,
        max_tokens: int,
    ) -> None:
        self._nearest = nearest
        self._encoder = encoder
        self._classifiers = dict(classifiers)
        self._max_tokens = max_tokens

    async def score(
        self, texts: Sequence[str], subjects: frozenset[int], *, thorough: bool = False
    ) -> list[Signal]:
        """The nearest detector's signals, and those of the classifiers: all that fired and the best
        one in any case. Raises what both may."""
        known = sorted(subjects & self._classifiers.keys())
        if not known or not texts:
            return await self._nearest.score(texts, subjects, thorough=thorough)
        signals, found = await asyncio.gather(
            self._nearest.score(texts, subjects, thorough=thorough), self._hidden(texts, known)
        )
        return [*signals, *found]

    async def described(
        self, texts: Sequence[str], subjects: frozenset[int], mentioned: frozenset[int]
    ) -> list[Signal]:
        """As the nearest detector's."""
        return await self._nearest.described(texts, subjects, mentioned)

    async def similar(self, sentences: Sequence[str], subject: int) -> list[float]:
        """As the nearest detector's."""
        return await self._nearest.similar(sentences, subject)

    async def _hidden(self, texts: Sequence[str], subjects: Sequence[int]) -> list[Signal]:
        windows = await asyncio.to_thread(self._windows, texts)
        features = await self._encoder.encode(windows)
        return await asyncio.to_thread(self._signals, features, subjects)

    def _windows(self, texts: Sequence[str]) -> list[str]:
        chunks = [chunk for text in texts for chunk in self._encoder.encoder.windows(text)]
        tokens = sum(chunk.tokens for chunk in chunks)
        if tokens > self._max_tokens:
            raise TooManyTokens(tokens, self._max_tokens)
        return list(dict.fromkeys(chunk.text for chunk in chunks))

    def _signals(self, features: np.ndarray, subjects: Sequence[int]) -> list[Signal]:
        found = []
        for subject in subjects:
            one = self._classifiers[subject]
            fired = bool(one.odds(features).max() >= one.threshold)
            score = float(one.probabilities(features).max())
            found.append(Signal(HIDDEN, subject, score, fired))
        best = max(found, key=lambda signal: signal.score)
        return [signal for signal in found if signal.fired or signal is best]
