"""Nearest prompt: does a text, or a stretch of it, ask what a stored prompt asks?

And nearest text: does a sentence say what a stored text says?
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial

import numpy as np

from classifiers.batching import BatchedEncoder, content_key
from classifiers.clauses import pieces
from classifiers.clearing import FirstStage, Thresholds
from classifiers.described import Described
from classifiers.encoder import Encoder, Vectors
from classifiers.errors import OtherEncoder, TooManyTokens
from classifiers.head import Head, packaged
from classifiers.identity import Identities, judged
from classifiers.index import PromptIndex
from classifiers.signals import FACTS, NEAREST_PROMPT, Signal, Stored, Subject
from classifiers.static import StaticEncoder
from classifiers.verdicts import VerdictCache, verdict_key

Progress = Callable[[str, int, int], None]
"""Called with a label, how many are done and how many there are."""

MAX_TOKENS = 131_072
BUILD_BATCH = 256
KEPT_CALLERS = 64
# Above this many characters tokenising takes over a millisecond and leaves the event loop.
INLINE_CHARACTERS = 2048


class VectorCache(dict[tuple[str, bytes], Vectors]):
    """Vectors by encoder name and content hash; passed to each rebuild, it embeds only news."""

    def keep_only(self, keys: frozenset[tuple[str, bytes]]) -> None:
        """Drop all others: the vector of a withdrawn prompt must not stay in memory."""
        for key in self.keys() - keys:
            del self[key]


@dataclass(slots=True)
class Tally:
    """How many requests needed no encoder: `cleared` by the first stage, `repeated` ones that were
    judged before, of those `asked`. Shared by the detectors of all sets."""

    asked: int = 0
    cleared: int = 0
    repeated: int = 0


class NearestPrompt:
    """Scores texts by their most similar stored prompt, one threshold a subject, and sentences by
    their most similar stored text.

    `max_tokens` bounds the tokens, windows' overlaps included, that one call may encode.
    Every cosine is on the head's scale, and so are thresholds.
    Construction embeds the prompts on the calling thread, those `cache` has not seen; `keys` are
    what it holds of the cache; `head` is the packaged one by default; `verdicts`: of how many
    requests signals are kept. Until `clear_with` there is no first stage, and all is encoded.
    """

    def __init__(
        self,
        subjects: Iterable[Subject],
        encoder: BatchedEncoder,
        *,
        cache: VectorCache | None = None,
        progress: Progress | None = None,
        max_tokens: int = MAX_TOKENS,
        head: Head | None = None,
        verdicts: int = 0,
        tally: Tally | None = None,
    ) -> None:
        self._encoder = encoder
        self._max_tokens = max_tokens
        self._cache = {} if cache is None else cache
        self._progress = progress
        asked = list(subjects)
        self._scale = (head or packaged()).scale
        self._thresholds = {one.id: one.threshold for one in asked if one.prompts or one.stored}
        self._with_texts = frozenset(one.id for one in asked if one.texts)
        self._identities = Identities((one for one in asked if one.prompts), head)
        self.keys: frozenset[tuple[str, bytes]] = frozenset()
        stored = {one.id: one.stored for one in asked if one.stored}
        self._index = self._indexed(((one.id, one.prompts) for one in asked), stored)
        self._texts = self._indexed((one.id, one.texts) for one in asked)
        self._described = Described(asked, self._embedded, self._scale)
        self._prompts = [(one.id, one.prompts) for one in asked]
        self._verdicts = VerdictCache(verdicts)
        self._tally = tally or Tally()
        self._first_stage: FirstStage | None = None
        self._unclear = frozenset(stored)
        self._kept: dict[frozenset[int], Thresholds] = {}

    def clear_with(self, static: StaticEncoder) -> None:
        """Have a first stage from now on. Slow where there are many prompts; any thread."""
        windows = self._encoder.encoder.windows
        prompts = [
            (owner, [chunk for whole in dict.fromkeys(wholes) for chunk in windows(whole)])
            for owner, wholes in self._prompts
        ]
        self._first_stage = FirstStage(static, prompts, self._identities, blind=self._unclear)

    def _indexed(
        self,
        stored: Iterable[tuple[int, Sequence[str]]],
        embedded: Mapping[int, Stored] | None = None,
    ) -> PromptIndex:
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
        for owner, held in (embedded or {}).items():
            rows = unpacked(held, encoder)
            vectors = np.concatenate([vectors, rows])
            owners += [owner] * len(rows)
        return PromptIndex.build(vectors, np.array(owners, dtype=np.int64))

    def _embedded(self, texts: Sequence[str]) -> Vectors:
        encoder = self._encoder.encoder
        self.keys |= {(encoder.name, content_key(text)) for text in texts}
        return embed(texts, encoder, self._cache, self._progress)

    async def described(
        self, texts: Sequence[str], subjects: frozenset[int], mentioned: frozenset[int]
    ) -> list[Signal]:
        """Topics of `subjects`, and of those `mentioned` whether they and a forgotten aspect of
        them are meant. Raises what `score` does."""
        return await self._described.signals(
            texts, subjects, mentioned, self._encoded, self._windows
        )

    async def _encoded(self, texts: Sequence[str]) -> Vectors:
        return await self._encoder.encode(await asyncio.to_thread(self._cut, texts))

    async def score(
        self, texts: Sequence[str], subjects: frozenset[int], *, thorough: bool = False
    ) -> list[Signal]:
        """Signals of each detector by score, best first: all that fired, and the best in any case.

        A subject's nearest-prompt score is the largest cosine between any window of `texts` and
        any of its prompts; windows that mean somebody else do not make it fire. Its facts score is
        the largest probability that a window asks about it (`Identities`). What the first stage
        clears has one signal, that it was; `thorough` leaves the first stage out. Raises
        TooManyTokens before anything is encoded, QueueFull, Closed, and what the encoder raises.
        """
        thresholds = self._in_force(subjects)
        if not thresholds or not texts:
            return []
        self._tally.asked += 1
        key = verdict_key(texts, subjects, thorough=thorough)
        signals = self._verdicts.get(key)
        if signals is not None:
            self._tally.repeated += 1
            return signals
        stage = None if thorough else self._first_stage
        read = partial(self._read, texts, thresholds, stage)
        is_long = sum(map(len, texts)) > INLINE_CHARACTERS
        windows, cleared = await asyncio.to_thread(read) if is_long else read()
        if cleared is None:
            vectors = await self._encoder.encode(windows)
            signals = await asyncio.to_thread(self._signals, windows, vectors, thresholds)
        else:
            self._tally.cleared += 1
            signals = [cleared]
        self._verdicts.put(key, signals)
        return signals

    def _in_force(self, subjects: frozenset[int]) -> Thresholds:
        """The thresholds of those of `subjects` that have prompts; kept, since callers with the
        same policies ask again and again."""
        found = self._kept.get(subjects)
        if found is None:
            found = Thresholds.of(self._thresholds, subjects)
            if len(self._kept) >= KEPT_CALLERS:
                self._kept.clear()
            self._kept[subjects] = found
        return found

    def _read(
        self, texts: Sequence[str], thresholds: Thresholds, stage: FirstStage | None
    ) -> tuple[list[str], Signal | None]:
        """The windows of `texts` that must be encoded; the first stage's signal without any."""
        windows = self._windows(texts)
        return stage.left(windows, thresholds) if stage else (windows, None)

    def _signals(
        self, windows: Sequence[str], vectors: Vectors, thresholds: Thresholds
    ) -> list[Signal]:
        allowed = thresholds.subjects
        floor = self._scale.to_own(thresholds.lowest)
        found = self._index.search(vectors, allowed=allowed, floor=floor)
        near: dict[int, float] = {}
        asked: set[int] = set()
        facts: dict[int, float] = {}
        for window, vector, nearby in zip(windows, vectors, found, strict=True):
            row = [(owner, self._scale.to_shared(score)) for owner, score in nearby]
            cosine = partial(self._cosine, vector)
            # What is not near enough to fire need not be asked whether it means somebody else.
            close = [(owner, score) for owner, score in row if score >= thresholds.cosine[owner]]
            kept, chances = judged(self._identities, window, close, allowed, cosine)
            _raise_to(near, dict(row))
            asked.update(kept)
            _raise_to(facts, chances)
        told = {id for id, chance in facts.items() if chance >= self._identities.threshold}
        return [*_ranked(NEAREST_PROMPT, near, asked), *_ranked(FACTS, facts, told)]

    def _cosine(self, vector: Vectors, owner: int) -> float:
        return self._scale.to_shared(self._index.cosine(vector, owner))

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
        best = iter([self._scale.to_shared(row[0][1]) for row in found])
        return [max(next(best) for _ in windows) for windows in chunks]

    def _windows(self, texts: Sequence[str]) -> list[str]:
        return self._cut([part for text in texts for part in (text, *pieces(text))])

    def _cut(self, texts: Iterable[str]) -> list[str]:
        """The distinct windows of texts."""
        distinct: dict[str, None] = {}
        tokens = 0
        for part in texts:
            chunks = self._encoder.encoder.windows(part)
            tokens += sum(chunk.tokens for chunk in chunks)
            if tokens > self._max_tokens:
                raise TooManyTokens(tokens, self._max_tokens)
            distinct.update(dict.fromkeys(chunk.text for chunk in chunks))
        return list(distinct)


def unpacked(stored: Stored, encoder: Encoder) -> Vectors:
    """Stored embeddings as vectors (n, d). Raises OtherEncoder when they are not the encoder's."""
    model = encoder.name.partition("/")[0]
    if (stored.model, stored.dimension) != (model, encoder.dimension):
        raise OtherEncoder(stored.model, model)
    rows = np.frombuffer(stored.rows, dtype="<f2").astype(np.float32)
    vectors = rows.reshape(-1, stored.dimension)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-6), dtype=np.float32)


def _raise_to(best: dict[int, float], found: Mapping[int, float]) -> None:
    for subject, score in found.items():
        best[subject] = max(score, best.get(subject, -1.0))


def _ranked(name: str, best: Mapping[int, float], fired: Set[int]) -> list[Signal]:
    """The signals that fired, and the best one in any case."""
    ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))
    signals = [Signal(name, subject, score, subject in fired) for subject, score in ranked]
    return [signal for place, signal in enumerate(signals) if signal.fired or place == 0]


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
