"""GUARD around a model: what the prompt calls for is looked up, then not written."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from classifiers.encoder import Encoder, MiniLM
from guard.evaluate.paper_guard.beam import BeamSearch, End
from guard.evaluate.paper_guard.config import PaperConfig
from guard.evaluate.paper_guard.penalty import Penalty, Place
from guard.evaluate.paper_guard.spans import sensitive_spans
from guard.evaluate.paper_guard.trie import TokenTrie
from guard.evaluate.paper_guard.words import WordPenalty, WordVectors
from guard.restrict.token_bytes import token_bytes


@dataclass(frozen=True, slots=True)
class Generated:
    """One answer. `answer` is the index of the stored answer that was kept from it.

    `ended`: at an end token, at the length, or because no candidate was left; `encoder_calls` and
    `encoded` count the calls of the encoder for this prompt and the texts in them; `score` as in
    `beam.Found`.
    """

    text: str
    tokens: tuple[int, ...]
    ended: End
    score: float
    answer: int
    seconds: float
    encoder_calls: int
    encoded: int


class PaperGuard:
    """Keeps the stored `answers` out of what a causal language model writes.

    `model` and `tokenizer` (a fast one) are transformers' own; `encoder` is all-MiniLM-L6-v2 when
    left out; `extract` says which spans of an answer are sensitive, where something better than a
    rule is at hand. Not safe for use from several threads at once. Raises ValueError without
    answers or for one without letters, EngineError for a tokenizer that cannot be read,
    EncoderUnavailable without the packages of the `detect` extra.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        answers: Sequence[str],
        config: PaperConfig | None = None,
        *,
        encoder: Encoder | None = None,
        extract: Callable[[str], tuple[str, ...]] = sensitive_spans,
    ) -> None:
        self._spans = [extract(answer) for answer in answers]
        if not all(self._spans) or not answers:
            raise ValueError("answers are needed, each with a letter or digit in it")
        self.config = config or PaperConfig()
        self._model, self._tokenizer = model, tokenizer
        self._pieces = token_bytes(tokenizer, model.get_input_embeddings().weight.shape[0])
        self._vectors = WordVectors(encoder or MiniLM(precision="f32"))
        windows = [self._vectors.encode_long(answer) for answer in answers]
        self._windows = np.concatenate(windows)
        self._owner = np.repeat(np.arange(len(answers)), [len(rows) for rows in windows])
        self._penalties: dict[int, Penalty] = {}

    @cached_property
    def ends(self) -> frozenset[int]:
        """The ids that end a text: the model's own, else the tokenizer's."""
        settings = getattr(self._model, "generation_config", None)
        found = getattr(settings, "eos_token_id", None)
        if found is None:
            found = self._tokenizer.eos_token_id
        return frozenset(() if found is None else [found] if isinstance(found, int) else found)

    def nearest(self, prompt: str) -> int:
        """Step 2: the index of the stored answer most similar to the prompt."""
        cosines = self._vectors.encode_long(prompt) @ self._windows.T
        return int(self._owner[cosines.max(axis=0).argmax()])

    def spans(self, answer: int) -> tuple[str, ...]:
        """What is forbidden with that stored answer."""
        return self._spans[answer]

    def sequences(self, answer: int) -> list[list[int]]:
        """The same as the trie holds it: tokens of each span, after a space and after none."""
        encode = self._tokenizer.encode
        variants = (v for span in self._spans[answer] for v in (span, f" {span}"))
        return [encode(variant, add_special_tokens=False) for variant in variants]

    def generate(
        self, prompt: str, max_new_tokens: int, *, banned: Collection[int] = ()
    ) -> Generated:
        """Steps 2 and 3: an answer to the prompt, as text that follows it.

        `banned`: ids that are not taken either, the end tokens for an answer of a fixed length.
        Raises ValueError for a prompt without tokens and for max_new_tokens below 1, and what the
        encoder raises.
        """
        ids = self._tokenizer(prompt).input_ids
        if not ids or max_new_tokens < 1:
            raise ValueError("a prompt is needed, and max_new_tokens of at least 1")
        began = time.perf_counter()
        calls, encoded = self._vectors.calls, self._vectors.encoded
        answer = self.nearest(prompt)
        search = BeamSearch(
            self._model,
            self._penalty(answer),
            self.ends,
            width=self.config.beam_width,
            candidates=self.config.candidates * self.config.beam_width,
            length_penalty=self.config.length_penalty,
            banned=banned,
        )
        found = search.run(ids, max_new_tokens)
        text = b"".join(self._pieces[token] or b"" for token in found.tokens)
        return Generated(
            text=text.decode("utf-8", "replace"),
            tokens=found.tokens,
            ended=found.ended,
            score=found.score,
            answer=answer,
            seconds=time.perf_counter() - began,
            encoder_calls=self._vectors.calls - calls,
            encoded=self._vectors.encoded - encoded,
        )

    def score(self, prompt: str, text: str) -> float:
        """What the search would give this text: log-probability less penalties, not normalised.

        Minus infinity for a text that it cannot write, so that measures which ask for probabilities
        see the guard. Whether the text would be among a beam's best candidates plays no part.
        """
        import torch

        ids = self._tokenizer(prompt).input_ids
        tokens = self._tokenizer.encode(text, add_special_tokens=False)
        with torch.inference_mode():
            logits = self._model(input_ids=torch.tensor([[*ids, *tokens]])).logits[0]
        log_p = torch.log_softmax(logits[len(ids) - 1 : -1].float(), dim=-1)
        penalty, place, total = self._penalty(self.nearest(prompt)), Place(), 0.0
        for row, token in zip(log_p, tokens, strict=True):
            (verdict,) = penalty.judge([(place, token)])
            if verdict is None:
                return -math.inf
            place = verdict[0]
            total += float(row[token]) - verdict[1]
        return total

    def _penalty(self, answer: int) -> Penalty:
        """What one stored answer forbids, made when first asked for."""
        if answer not in self._penalties:
            config = self.config
            self._penalties[answer] = Penalty(
                self._pieces,
                TokenTrie(self.sequences(answer)),
                WordPenalty(
                    self._vectors, self._spans[answer], delta=config.delta, soft=config.soft
                ),
                beta=config.beta,
            )
        return self._penalties[answer]
