"""What was read of a model is read once, by whoever asks, and again where anything changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from guard.errors import EvaluateError
from guard.evaluate.arms import AlwaysRefuse, Asked, Losses, Reply
from guard.evaluate.readings import AT_ONCE, Pair, Readings
from guard.evaluate.rows import ask


class Counting:
    """An arm that thinks of a text what its length says, and counts what it was asked."""

    control = False

    def __init__(self, identity: str = "one") -> None:
        self.name, self.what, self.identity, self.weights = "bare", "", identity, "bare"
        self.read: list[str] = []
        self.fails_after = 10_000

    def answer(self, asked: Sequence[Asked]) -> Iterator[Reply]:
        return iter(())

    def losses(self, pairs: Sequence[Pair]) -> list[Losses]:
        if len(self.read) + len(pairs) > self.fails_after:
            raise EvaluateError("the machine was switched off")
        self.read += [text for _, text in pairs]
        return [_thought(text) for _, text in pairs]


def _thought(text: str) -> Losses:
    count = len(text)
    odd = np.arange(count) % 2 > 0
    return Losses(-np.arange(count) / 3, np.full(count, -np.inf), np.zeros(count), odd)


def pairs(*texts: str) -> list[Pair]:
    return [(ask("Who?"), text) for text in texts]


@pytest.mark.parametrize("folder", [None, "readings"])
def test_each_pair_is_read_once_and_comes_back_as_it_was(
    tmp_path: Path, folder: str | None
) -> None:
    arm, readings = Counting(), Readings(tmp_path / folder if folder else None)
    for texts in (("ab", "abc", "ab"), ("abcd", "abc")):
        found = readings.losses(arm, pairs(*texts))
        assert found is not None
        for text, one in zip(texts, found, strict=True):
            wanted = _thought(text)
            for part in ("log_probs", "mean", "deviation", "greedy"):
                assert np.array_equal(getattr(one, part), getattr(wanted, part)), part
            assert one.greedy.dtype == bool
    assert arm.read == ["ab", "abc", "abcd"]


def test_another_run_reads_what_this_one_wrote_and_another_arm_does_not(tmp_path: Path) -> None:
    Readings(tmp_path).losses(Counting(), pairs("ab", "c"))
    same, other = Counting(), Counting("another")
    for arm in (same, other):
        Readings(tmp_path).losses(arm, pairs("c", "d"))
    assert same.read == ["d"]
    assert other.read == ["c", "d"]


def test_a_run_that_was_ended_goes_on_where_it_was(tmp_path: Path) -> None:
    texts = ["a" * n for n in range(1, AT_ONCE + 10)]
    first = Counting()
    first.fails_after = AT_ONCE
    with pytest.raises(EvaluateError, match="switched off"):
        Readings(tmp_path).losses(first, pairs(*texts))
    path = tmp_path / "one.jsonl"
    path.write_bytes(path.read_bytes() + b'{"key": "half')
    second = Counting()
    assert len(Readings(tmp_path).losses(second, pairs(*texts)) or []) == len(texts)
    assert second.read == texts[AT_ONCE:]
    third = Counting()
    Readings(tmp_path).losses(third, pairs(*texts))
    assert third.read == [], "the half line was not cut off"


def test_figures_of_another_state_of_the_code_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def read() -> list[float]:
        made.append(1)
        return [0.5, float("nan")]

    for _ in range(2):
        found = Readings(tmp_path).figures(Counting(), ["rows"], read)
        assert found[0] == 0.5 and np.isnan(found[1])
    assert len(made) == 1
    Readings(tmp_path).figures(Counting(), ["other rows"], read)
    assert len(made) == 2
    monkeypatch.setattr("guard.evaluate.readings.measuring_code", lambda: "another state")
    Readings(tmp_path).figures(Counting(), ["rows"], read)
    assert len(made) == 3


def test_an_arm_that_does_not_tell_has_none(tmp_path: Path) -> None:
    assert Readings(tmp_path).losses(AlwaysRefuse(weights="bare"), pairs("a")) is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(EvaluateError, match="taken"):
        Readings(tmp_path / "taken").losses(Counting(), pairs("a"))
