"""Who has which part of an array that was reserved once."""

from __future__ import annotations

from guard.errors import EngineError


class Segments:
    """First-fit room for `size` places. Not safe for use from several threads at once."""

    def __init__(self, size: int, what: str) -> None:
        self.size = size
        self._what = what
        self._taken: dict[int, int] = {}  # start -> places

    @property
    def used(self) -> int:
        """Places taken."""
        return sum(self._taken.values())

    def take(self, size: int) -> int:
        """Where `size` places (at least one is taken) begin. Raises EngineError without room."""
        size = max(1, size)
        at = 0
        for start in sorted(self._taken):
            if start - at >= size:
                break
            at = start + self._taken[start]
        if at + size > self.size:
            raise EngineError(
                f"no room for {size} {self._what}: {self.size - self.used} of {self.size} left"
            )
        self._taken[at] = size
        return at

    def give_back(self, start: int) -> None:
        """Free what `take` gave."""
        del self._taken[start]
