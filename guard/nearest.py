"""The nearest-prompt detector of this process: one encoder, one embedding a prompt, all sets."""

from __future__ import annotations

import logging
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
    OtherHead,
    SentenceEncoder,
    Tally,
    VectorCache,
)
from classifiers import clearing as first_stage
from classifiers.encoder import SHIPPED, Encoder
from classifiers.head import Head, check_encoder, load, packaged
from classifiers.hidden_states import HiddenStates
from classifiers.sentence_model import read
from guard.config import DetectSettings
from guard.detect import needs_encoder, subjects
from guard.errors import DetectorError
from guard.first_stage import FirstStages
from guard.hidden.detecting import WithHidden
from guard.hidden.files import kept
from guard.policy import PolicySet, Progress
from guard.restrict.soft import candidate_words

log = logging.getLogger("guard.nearest")


class LocalNearest:
    """Builds the detector of each policy set around one shared encoder.

    The encoder is loaded when the first policy with prompts comes, so that a server without any
    never imports its runtime. Embeddings of prompts are kept from set to set. Raises DetectorError
    where the encoder's folder cannot be used, or the head or the first stage is another encoder's.
    With `hidden_states` the served model is loaded too, and its classifiers speak beside.
    """

    def __init__(
        self, settings: DetectSettings | None = None, *, progress: Progress | None = None
    ) -> None:
        self._settings = settings or DetectSettings()
        self._progress = progress
        self._encoder: BatchedEncoder | None = None
        self._hidden: BatchedEncoder | None = None
        self._vectors = VectorCache()
        self._lexicon: Lexicon | None = None
        self._stages: FirstStages | None = None
        self.tally = Tally()
        self._lock = threading.Lock()
        try:
            self._model = None if self._settings.encoder is None else read(self._settings.encoder)
            self._head = _head_of(
                self._settings, SHIPPED if self._model is None else self._model.name
            )
        except (ClassifierError, OSError, ValueError) as error:
            raise DetectorError(f"{type(error).__name__}: {error}") from error

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
                    head=self._head,
                    verdicts=self._settings.verdict_cache_size,
                    tally=self.tally,
                )
                if self._stages is not None:
                    self._stages.give(nearest)
            except (ClassifierError, RuntimeError, OSError, ValueError) as error:
                raise DetectorError(f"{type(error).__name__}: {error}") from error
            self._vectors.keep_only(nearest.keys)
            return self._with_hidden(nearest, policies)

    def near_words(self, words: Sequence[str], floor: float) -> dict[str, float]:
        """Words of general English whose embedding has a cosine of `floor` or more with one of
        `words`, with the largest. Slow: the first call on a machine embeds all of them.

        Raises DetectorError when the encoder or its cache folder cannot be used.
        """
        try:
            with self._lock:
                if self._lexicon is None:
                    self._lexicon = Lexicon(candidate_words(), self._loaded().encoder)
            scale = self._head.scale
            found = self._lexicon.near(words, scale.to_own(floor))
            return {word: scale.to_shared(cosine) for word, cosine in found.items()}
        except (ClassifierError, RuntimeError, OSError, ValueError) as error:
            raise DetectorError(f"{type(error).__name__}: {error}") from error

    @property
    def head(self) -> Head:
        """What weighs facts and similarity."""
        return self._head

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
        for encoder in (self._encoder, self._hidden):
            if encoder is not None:
                encoder.close()

    def _with_hidden(self, nearest: Nearest, policies: PolicySet) -> Nearest:
        """The detector, with the classifiers of the policies that have one in `hidden_states`."""
        settings = self._settings.hidden_states
        if settings.model is None or settings.heads is None:
            return nearest
        try:
            if self._hidden is None:
                self._hidden = self._batched(HiddenStates(settings.model))
        except (ClassifierError, RuntimeError, OSError, ValueError) as error:
            raise DetectorError(f"{type(error).__name__}: {error}") from error
        model = self._hidden.encoder.name
        found = kept(settings.heads, policies.policies, model)
        without = sorted(policy.name for policy in policies.policies if policy.name not in found)
        if without:
            log.warning("no classifier of hidden states for: %s", ", ".join(without))
        places = {policy.name: place for place, policy in enumerate(policies.policies)}
        classifiers = {places[name]: one for name, one in found.items()}
        return WithHidden(nearest, self._hidden, classifiers, max_tokens=self._settings.max_tokens)

    def _batched(self, encoder: Encoder) -> BatchedEncoder:
        settings = self._settings
        return BatchedEncoder(encoder, max_queue=settings.max_queue, cache_size=settings.cache_size)

    def _loaded(self) -> BatchedEncoder:
        if self._encoder is None:
            encoder = MiniLM() if self._model is None else SentenceEncoder(self._model)
            if self._settings.first_stage:
                self._stages = FirstStages(encoder)
            self._encoder = self._batched(encoder)
        return self._encoder


def _head_of(settings: DetectSettings, encoder: str) -> Head:
    """The head for an encoder. Raises DetectorError where it, or the first stage, was made with
    another one, and what `load` does."""
    head = load(settings.head) if settings.head else packaged()
    what = f"the head {settings.head}" if settings.head else "the head that ships"
    try:
        check_encoder(what, head.encoder, encoder)
        if settings.first_stage:
            what = "the first stage"
            check_encoder(what, first_stage.packaged().encoder, encoder)
    except OtherHead as error:
        if what == "the first stage":
            raise DetectorError(f"{error}: leave out detect.first_stage") from None
        option = f" --encoder {settings.encoder}" if settings.encoder else ""
        raise DetectorError(
            f"{error}. Make one with `guard detector train{option} --out head.json` and name it: "
            "`detect.head` in the settings, or --head"
        ) from None
    return head
