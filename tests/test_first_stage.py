"""The first stage comes when its table is there, and its absence costs nothing but time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from classifiers import BatchedEncoder, NearestPrompt, Subject, Tally
from guard.first_stage import FirstStages
from tests.classifiers.words_encoder import WORDS, WordsEncoder

STORED = "where was the painter born"
FAR = "how long boil an egg"
ONE = frozenset({1})


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WordsEncoder:
    monkeypatch.setenv("GUARD_CACHE_DIR", str(tmp_path))
    return WordsEncoder()


@pytest.fixture
def batched(encoder: WordsEncoder) -> Iterator[BatchedEncoder]:
    made = BatchedEncoder(encoder)
    yield made
    made.close()


def detector(batched: BatchedEncoder, tally: Tally, verdicts: int = 0) -> NearestPrompt:
    return NearestPrompt([Subject(1, prompts=(STORED,))], batched, verdicts=verdicts, tally=tally)


async def test_until_it_is_there_everything_is_encoded(
    encoder: WordsEncoder, batched: BatchedEncoder
) -> None:
    tally = Tally()
    nearest = detector(batched, tally)
    (signal,) = [s for s in await nearest.score([FAR], ONE) if s.name == "nearest_prompt"]
    assert not signal.fired and tally == Tally(asked=1)
    stages = FirstStages(encoder, delay=0.0)
    stages.give(nearest)
    stages.wait()
    assert [s.name for s in await nearest.score([FAR], ONE)] == ["cleared"]
    assert tally == Tally(asked=2, cleared=1)
    assert (await nearest.score([STORED], ONE))[0].fired
    assert "cleared" not in [s.name for s in await nearest.score([FAR], ONE, thorough=True)]
    stages.close()


async def test_the_next_start_finds_the_table(
    encoder: WordsEncoder, batched: BatchedEncoder
) -> None:
    first = FirstStages(encoder, delay=0.0)
    first.give(detector(batched, Tally()))
    first.wait()
    second, nearest = FirstStages(encoder, delay=0.0), detector(batched, Tally())
    second.give(nearest)
    assert encoder.asked == len(WORDS)
    assert [s.name for s in await nearest.score([FAR], ONE)] == ["cleared"]


def test_who_closes_does_not_wait_for_it(encoder: WordsEncoder, batched: BatchedEncoder) -> None:
    stages = FirstStages(encoder, delay=600.0)
    stages.give(detector(batched, Tally()))
    stages.close()
    assert encoder.asked == 0


async def test_without_a_table_the_encoder_judges(
    encoder: WordsEncoder, batched: BatchedEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    encoder.fails = RuntimeError("no memory")
    stages, nearest = FirstStages(encoder, delay=0.0), detector(batched, Tally())
    stages.give(nearest)
    stages.wait()
    assert "no first stage: RuntimeError" in caplog.text
    assert "cleared" not in [s.name for s in await nearest.score([FAR], ONE)]


async def test_a_repeated_request_is_answered_from_what_was_said(
    encoder: WordsEncoder, batched: BatchedEncoder
) -> None:
    tally = Tally()
    nearest = detector(batched, tally, verdicts=8)
    said = await nearest.score([FAR], ONE)
    batches = batched.counters.texts + batched.counters.cache_hits
    assert await nearest.score([FAR], ONE) == said
    assert batched.counters.texts + batched.counters.cache_hits == batches
    assert tally == Tally(asked=2, repeated=1)
    await nearest.score([FAR, FAR], ONE)
    await nearest.score([FAR], ONE, thorough=True)
    assert tally == Tally(asked=4, repeated=1)
