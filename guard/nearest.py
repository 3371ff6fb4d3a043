"""The nearest-prompt detector of this process: one encoder, one embedding a prompt, all sets."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from classifiers import (
    BatchedEncoder,
    ClassifierError,
    Counters,
    Lexicon,
    MiniLM,
    Nearest,
    NearestPrompt,
    Tally,
    VectorCache,
)
from classifiers.head import load
from guard.config import DetectSettings
from guard.detect import needs_encoder, subjects
from guard.errors import DetectorError
from guard.first_stage import FirstStages
from guard.policy import PolicySet, Progress
from guard.restrict.soft import candidate_words


class LocalNearest:
    """Builds the detector of each policy set around one shared encoder.

    The encoder is loaded when the first policy with prompts comes, so that a server without any
    never imports its runtime. Embeddings of prompts are kept from set to set.
    """

    def __init__(
        self, settings: DetectSettings | None = None, *, progress: Progress | None = None
    ) -> None:
        self._settings = settings or DetectSettings()
        self._progress = progress
        self._encoder: BatchedEncoder | None = None
        self._vectors = VectorCache()
        self._lexicon: Lexicon | None = None
        self._stages: FirstStages | None = None
        self.tally = Tally()
        self._lock = threading.Lock()

    def build(self, policies: PolicySet) -> Nearest | None:
        """The detector of a set; None when no policy has prompts, nor texts that answers are
        compared with by meaning. Slow, CPU-bound.

        Raises DetectorError when the encoder cannot be loaded or used.
        """
        if not needs_encoder(policies):
            return None
        wanted = [
            each
            for each in subjects(policies)
            if each.prompts or each.stored or each.texts or each.topics or each.limited
        ]
        with self._lock:
            try:
                nearest = NearestPrompt(
                    wanted,
                    self._loaded(),
                    cache=self._vectors,
                    progress=self._progress,
                    max_tokens=self._settings.max_tokens,
                    head=load(self._settings.head) if self._settings.head else None,
                    verdicts=self._settings.verdict_cache_size,
                    tally=self.tally,
                )
                if self._stages is not None:
                    self._stages.give(nearest)
            except (ClassifierError, RuntimeError, OSError, ValueError) as error:
                raise DetectorError(f"{type(error).__name__}: {error}") from error
            self._vectors.keep_only(nearest.keys)
            return nearest

    def near_words(self, words: Sequence[str], floor: float) -> dict[str, float]:
        """Words of general English whose embedding has a cosine of `floor` or more with one of
        `words`, with the largest. Slow: the first call on a machine embeds all of them.

        Raises DetectorError when the encoder or its cache folder cannot be used.
        """
        try:
            with self._lock:
                if self._lexicon is None:
                    self._lexicon = Lexicon(candidate_words(), self._loaded().encoder)
            return self._lexicon.near(words, floor)
        except (ClassifierError, RuntimeError, OSError) as error:
            raise DetectorError(f"{type(error).__name__}: {error}") from error

    @property
    def counters(self) -> Counters:
        """What the encoder has done; zeros before it is loaded."""
        return self._encoder.counters if self._encoder is not None else Counters()

    def close(self) -> None:
        """End the encoder's thread, and what is made in the background."""
        if self._stages is not None:
            self._stages.close()
        if self._lexicon is not None:
            self._lexicon.close()
        if self._encoder is not None:
            self._encoder.close()

    def _loaded(self) -> BatchedEncoder:
        if self._encoder is None:
            encoder = MiniLM()
            if self._settings.first_stage:
                self._stages = FirstStages(encoder)
            self._encoder = BatchedEncoder(
                encoder,
                max_queue=self._settings.max_queue,
                cache_size=self._settings.cache_size,
            )
        return self._encoder
