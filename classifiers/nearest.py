"""Nearest prompt: does a text, or a stretch of it, ask what a stored prompt asks?

And nearest text: does a sentence say what a stored text says?
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from classifiers.batching import BatchedEncoder, content_key
from classifiers.encoder import Encoder, Vectors
from classifiers.errors import TooManyTokens
from classifiers.index import PromptIndex
from classifiers.signals import NEAREST_PROMPT, Signal, Subject
from classifiers.windows import sentences

Progress = Callable[[str, int, int], None]
"""Called with a label, how many are done and how many there are."""

MAX_TOKENS = 131_072
BUILD_BATCH = 256
# Above this many characters tokenising takes over a millisecond and leaves the event loop.
INLINE_CHARACTERS = 2048


class VectorCache(dict[tuple[str, bytes], Vectors]):
    """Vectors by encoder name and content hash; passed to each rebuild, it embeds only news."""

    def keep_only(self, keys: frozenset[tuple[str, bytes]]) -> None:
        """Drop all others: the vector of a withdrawn prompt must not stay in memory."""
        for key in self.keys() - keys:
            del self[key]


class NearestPrompt:
    """Scores texts by their most similar stored prompt, one threshold a subject, and sentences by
    their most similar stored text.

    `max_tokens` bounds the tokens, windows' overlaps included, that one call may encode.
    Construction embeds the prompts on the calling thread, those `cache` has not seen; `keys` are
    what it holds of the cache.
    """

    def __init__(
        self,
        subjects: Iterable[Subject],
        encoder: BatchedEncoder,
        *,
        cache: VectorCache | None = None,
        progress: Progress | None = None,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        self._encoder = encoder
        self._max_tokens = max_tokens
        self._cache = {} if cache is None else cache
        self._progress = progress
        asked = list(subjects)
        self._thresholds = {one.id: one.threshold for one in asked if one.prompts}
        self._with_texts = frozenset(one.id for one in asked if one.texts)
        self.keys: frozenset[tuple[str, bytes]] = frozenset()
        self._index = self._indexed((one.id, one.prompts) for one in asked)
        self._texts = self._indexed((one.id, one.texts) for one in asked)

    def _indexed(self, stored: Iterable[tuple[int, Sequence[str]]]) -> PromptIndex:
        texts: list[str] = []
        owners: list[int] = []
        encoder = self._encoder.encoder
        for owner, wholes in stored:
            # A long prompt is stored as it will be asked for: in windows.
            for whole in dict.fromkeys(wholes):
                chunks = encoder.windows(whole)
                texts += [chunk.text for chunk in chunks]
                owners += [owner] * len(chunks)
        self.keys |= {(encoder.name, content_key(text)) for text in texts}
        vectors = embed(texts, encoder, self._cache, self._progress)
        return PromptIndex.build(vectors, np.array(owners, dtype=np.int64))

    async def score(self, texts: Sequence[str], subjects: frozenset[int]) -> list[Signal]:
        """Signals by score, best first: all that fired, and the best one in any case.

        A subject's score is the largest cosine between any window of `texts` and any of its
        prompts. Raises TooManyTokens before anything is encoded, QueueFull, Closed, and what
        the encoder raises.
        """
        thresholds = {id: self._thresholds[id] for id in subjects if id in self._thresholds}
        if not thresholds or not texts:
            return []
        if sum(map(len, texts)) > INLINE_CHARACTERS:
            windows = await asyncio.to_thread(self._windows, texts)
        else:
            windows = self._windows(texts)
        vectors = await self._encoder.encode(windows)
        found = await asyncio.to_thread(
            self._index.search,
            vectors,
            allowed=frozenset(thresholds),
            floor=min(thresholds.values()),
        )
        best: dict[int, float] = {}
        for row in found:
            for subject, score in row:
                best[subject] = max(score, best.get(subject, -1.0))
        ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))
        signals = [
            Signal(NEAREST_PROMPT, subject, score, score >= thresholds[subject])
            for subject, score in ranked
        ]
        return [signal for place, signal in enumerate(signals) if signal.fired or place == 0]

    async def similar(self, sentences: Sequence[str], subject: int) -> list[float]:
        """For each sentence the largest cosine, in [-1, 1], of a window of it with a text of the
        subject. Raises LookupError for a subject without texts, and what `score` does."""
        if subject not in self._with_texts:
            raise LookupError("the subject has no texts")
        chunks = [self._encoder.encoder.windows(sentence) for sentence in sentences]
        tokens = sum(chunk.tokens for windows in chunks for chunk in windows)
        if tokens > self._max_tokens:
            raise TooManyTokens(tokens, self._max_tokens)
        texts = [chunk.text for windows in chunks for chunk in windows]
        vectors = await self._encoder.encode(texts)
        found = await asyncio.to_thread(
            self._texts.search, vectors, allowed=frozenset({subject}), floor=np.inf
        )
        best = iter([row[0][1] for row in found])
        return [max(next(best) for _ in windows) for windows in chunks]

    def _windows(self, texts: Sequence[str]) -> list[str]:
        distinct: dict[str, None] = {}
        tokens = 0
        for part in (part for text in texts for part in (text, *sentences(text))):
            chunks = self._encoder.encoder.windows(part)
            tokens += sum(chunk.tokens for chunk in chunks)
            if tokens > self._max_tokens:
                raise TooManyTokens(tokens, self._max_tokens)
            distinct.update(dict.fromkeys(chunk.text for chunk in chunks))
        return list(distinct)


def embed(
    texts: Sequence[str],
    encoder: Encoder,
    cache: dict[tuple[str, bytes], Vectors],
    progress: Progress | None = None,
) -> Vectors:
    """Vectors (n, d) of `texts`; those not in `cache` are encoded in batches and added to it."""
    keys = [(encoder.name, content_key(text)) for text in texts]
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in cache}
    waiting = list(missing.items())
    for first in range(0, len(waiting), BUILD_BATCH):
        part = waiting[first : first + BUILD_BATCH]
        for (key, _), row in zip(part, encoder.encode([text for _, text in part]), strict=True):
            cache[key] = row.copy()
        if progress is not None:
            progress("embedding prompts", first + len(part), len(waiting))
    if not keys:
        return np.empty((0, encoder.dimension), dtype=np.float32)
    return np.stack([cache[key] for key in keys])
