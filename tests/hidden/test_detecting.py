"""The signal `hidden` beside the others: windows, thresholds, bounds, failures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from classifiers import BatchedEncoder, Signal, TextChunk, TooManyTokens
from classifiers.encoder import Vectors
from classifiers.prompt_classifier import PromptClassifier
from guard.hidden.detecting import WithHidden

ALL = frozenset({0, 1, 2})


class Letters:
    """Features that a test can read off: how often "a" and "b" are in a text."""

    name, dimension = "letters", 2

    def encode(self, texts: Sequence[str]) -> Vectors:
        return np.array([[text.count("a"), text.count("b")] for text in texts], dtype=np.float32)

    def windows(self, text: str) -> list[TextChunk]:
        parts = text.split("|")
        return [TextChunk(part, 0, len(part), len(part)) for part in parts]


class Elsewhere:
    """The detector that is wrapped."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def score(
        self, texts: Sequence[str], subjects: frozenset[int], *, thorough: bool = False
    ) -> list[Signal]:
        if self._error:
            raise self._error
        return [Signal("nearest_prompt", 2, 0.9, True)]

    async def described(
        self, texts: Sequence[str], subjects: frozenset[int], mentioned: frozenset[int]
    ) -> list[Signal]:
        return [Signal("topic", 2, 0.7, True)]

    async def similar(self, sentences: Sequence[str], subject: int) -> list[float]:
        return [0.5 for _ in sentences]


def counts(letter: int) -> PromptClassifier:
    """Two layers that pass on, and one that fires from the second of a letter on."""
    same = np.eye(2, dtype=np.float32), np.zeros(2, np.float32)
    last = np.zeros((2, 2), np.float32)
    last[1, letter] = 4.0
    decides = last, np.array([6.0, 0.0], np.float32)
    mean, spread = np.zeros(2, np.float32), np.ones(2, np.float32)
    return PromptClassifier("p", "letters", 0.0, 0.0, 0.0, {}, mean, spread, (same, same, decides))


@pytest.fixture
def encoder() -> Iterator[BatchedEncoder]:
    made = BatchedEncoder(Letters(), max_queue=8)
    yield made
    made.close()


def _score(
    encoder: BatchedEncoder, *texts: str, subjects: frozenset[int] = ALL
) -> dict[int, tuple[float, bool]]:
    detector = WithHidden(Elsewhere(), encoder, {0: counts(0), 1: counts(1)}, max_tokens=40)
    signals = asyncio.run(detector.score(texts, subjects))
    return {s.subject: (round(s.score, 2), s.fired) for s in signals if s.name == "hidden"}


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (("aa",), {0: (0.88, True)}),
        (("bb",), {1: (0.88, True)}),
        (("aa bb",), {0: (0.88, True), 1: (0.88, True)}),
        (("a", "a"), {0: (0.12, False)}),  # two texts are no one prompt; the best is told anyway
        (("xx|xx|baa",), {0: (0.88, True)}),  # a window in a long text
        ((), {}),
    ],
)
def test_a_window_that_asks_is_enough(
    texts: tuple[str, ...], found: dict[int, tuple[float, bool]], encoder: BatchedEncoder
) -> None:
    assert _score(encoder, *texts) == found


def test_only_whom_the_caller_is_kept_from(encoder: BatchedEncoder) -> None:
    assert _score(encoder, "aa bb", subjects=frozenset({1})) == {1: (0.88, True)}
    assert _score(encoder, "aa", subjects=frozenset({2})) == {}


def test_the_other_detectors_speak_as_before(encoder: BatchedEncoder) -> None:
    detector = WithHidden(Elsewhere(), encoder, {0: counts(0)}, max_tokens=40)
    names = [signal.name for signal in asyncio.run(detector.score(["aa"], ALL))]
    assert names == ["nearest_prompt", "hidden"]
    assert asyncio.run(detector.described(["x"], ALL, ALL))[0].name == "topic"
    assert asyncio.run(detector.similar(["x"], 2)) == [0.5]


def test_what_fails_is_raised(encoder: BatchedEncoder) -> None:
    heads = {0: counts(0)}
    long = WithHidden(Elsewhere(), encoder, heads, max_tokens=3)
    with pytest.raises(TooManyTokens):
        asyncio.run(long.score(["aaaa"], ALL))
    broken = WithHidden(Elsewhere(RuntimeError("gone")), encoder, heads, max_tokens=40)
    with pytest.raises(RuntimeError, match="gone"):
        asyncio.run(broken.score(["a"], ALL))
