"""Answers are asked for once; for times one by one, after all were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from guard.evaluate.answers import Answers
from guard.evaluate.arms import AlwaysRefuse, Asked
from guard.evaluate.arms.base import Reply
from guard.evaluate.rows import ask


class Counting(AlwaysRefuse):
    """Says how many requests came before; keeps what was asked together."""

    def __init__(self) -> None:
        super().__init__(weights="bare")
        self.together: list[list[str]] = []

    def answer(self, asked: Sequence[Asked]) -> Iterator[Reply]:
        self.together.append([one.messages[0][1] for one in asked])
        for number, _ in enumerate(asked):
            seconds = float(sum(map(len, self.together[:-1])) + number)
            yield Reply("", None, seconds)


QUESTIONS = [Asked(ask(question)) for question in "abc"]


def test_what_is_asked_for_answers_goes_out_together_and_once(tmp_path: Path) -> None:
    arm, answers = Counting(), Answers(tmp_path)
    for _ in range(2):
        assert [reply.seconds for reply in answers.of(arm, QUESTIONS)] == [0, 1, 2]
    assert arm.together == [["a", "b", "c"]]


def test_what_is_asked_for_times_goes_out_alone_after_all_of_it_went_out(tmp_path: Path) -> None:
    arm, answers = Counting(), Answers(tmp_path)
    answers.of(arm, QUESTIONS[:1])
    for kept in (answers, Answers(tmp_path)):
        assert [reply.seconds for reply in kept.alone(arm, QUESTIONS)] == [4, 5, 6]
    assert arm.together == [["a"], ["a", "b", "c"], ["a"], ["b"], ["c"]]
    assert [reply.seconds for reply in answers.of(arm, QUESTIONS[:1])] == [0]
