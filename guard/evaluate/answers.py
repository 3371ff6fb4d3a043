"""Answers, each asked for once: kept on disk under a hash of everything that they depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from guard.errors import EvaluateError
from guard.evaluate.arms.base import Arm, Asked, Reply
from guard.evaluate.kept_lines import line, lines_of
from guard.evaluate.rows import content_hash

Progress = Callable[[str, int, int], None]


class Answers:
    """One JSON Lines file per arm identity in `folder`, appended to as answers come.

    A run that was ended goes on where it was; a line that was half written is dropped.
    """

    def __init__(self, folder: Path, progress: Progress = lambda label, done, total: None) -> None:
        self._folder = folder
        self._progress = progress
        self._kept: dict[str, dict[str, Reply]] = {}
        self.asked = 0  # requests that were really sent

    def of(self, arm: Arm, asked: Sequence[Asked]) -> list[Reply]:
        """Replies in order. Raises EvaluateError where the arm or the folder fails."""
        kept = self._load(arm.identity)
        keys = [one.key(arm.identity) for one in asked]
        missing = {key: one for key, one in zip(keys, asked, strict=True) if key not in kept}
        if missing:
            self._ask(arm, missing, kept)
        return [kept[key] for key in keys]

    def alone(self, arm: Arm, asked: Sequence[Asked]) -> list[Reply]:
        """As `of`, but for their times: one request is under way at a time, and all were asked
        together just before, so that it does not show which had been asked earlier."""
        kept = self._load(arm.identity)
        keys = [content_hash([one.key(arm.identity), "alone"]) for one in asked]
        missing = {key: one for key, one in zip(keys, asked, strict=True) if key not in kept}
        if missing:
            self._ask(arm, missing, kept, _one_by_one)
        return [kept[key] for key in keys]

    def _ask(
        self,
        arm: Arm,
        missing: dict[str, Asked],
        kept: dict[str, Reply],
        way: Callable[[Arm, list[Asked]], Iterator[Reply]] = lambda arm, asked: arm.answer(asked),
    ) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._path(arm.identity).open("ab") as file:
                replies = way(arm, list(missing.values()))
                for done, (key, reply) in enumerate(zip(missing, replies, strict=True), start=1):
                    file.write(line({"key": key, **reply.as_row()}))
                    file.flush()
                    kept[key] = reply
                    self.asked += 1
                    self._progress(f"asking: {arm.name}", done, len(missing))
        except OSError as error:
            raise EvaluateError(f"{self._folder}: {error}") from error

    def _load(self, identity: str) -> dict[str, Reply]:
        if identity not in self._kept:
            rows = lines_of(self._path(identity))
            self._kept[identity] = {row.pop("key"): Reply(**row) for row in rows}
        return self._kept[identity]

    def _path(self, identity: str) -> Path:
        return self._folder / f"{identity}.jsonl"


def _one_by_one(arm: Arm, asked: list[Asked]) -> Iterator[Reply]:
    for _ in arm.answer(asked):
        pass
    for one in asked:
        yield from arm.answer([one])
