"""Cheapest detector first: whole names, then, where no name fired, the nearest prompt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from classifiers.batching import BatchedEncoder
from classifiers.errors import EncoderUnavailable
from classifiers.names import FindNames, NameSignal
from classifiers.nearest import MAX_TOKENS, NearestPrompt, Progress, VectorCache
from classifiers.signals import Signal, Subject


class Cascade:
    """Immutable set of subjects. Build a new one to change it; `cache` makes that cheap.

    `name_find` returns the ids of the subjects whose names occur in a text. The encoder stays
    the caller's to close, so that two cascades may share it. Raises EncoderUnavailable when a
    subject has prompts and `encoder` is None, ValueError for two subjects of one id.
    """

    def __init__(
        self,
        subjects: Iterable[Subject],
        name_find: FindNames,
        encoder: BatchedEncoder | None,
        *,
        cache: VectorCache | None = None,
        progress: Progress | None = None,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        held = tuple(subjects)
        self._ids = frozenset(subject.id for subject in held)
        if len(self._ids) != len(held):
            raise ValueError("two subjects have the same id")
        self._names = NameSignal(name_find)
        self._nearest: NearestPrompt | None = None
        if any(subject.prompts for subject in held):
            if encoder is None:
                raise EncoderUnavailable("subjects with prompts need a sentence encoder")
            self._nearest = NearestPrompt(
                held, encoder, cache=cache, progress=progress, max_tokens=max_tokens
            )

    def cheap(self, texts: Sequence[str], subjects: frozenset[int] | None = None) -> list[Signal]:
        """Names only: microseconds, no waiting. `subjects` None means all; an unknown id raises."""
        return self._names(texts, self._known(subjects))

    async def full(
        self, texts: Sequence[str], subjects: frozenset[int] | None = None
    ) -> list[Signal]:
        """Names, and when none fired the nearest prompts; raises what NearestPrompt.score does."""
        known = self._known(subjects)
        named = self._names(texts, known)
        if named or self._nearest is None:
            return named
        return await self._nearest.score(texts, known)

    def _known(self, subjects: frozenset[int] | None) -> frozenset[int]:
        if subjects is None:
            return self._ids
        if not subjects <= self._ids:
            raise ValueError("subjects holds an id that this cascade does not know")
        return subjects
