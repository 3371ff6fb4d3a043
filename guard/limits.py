"""How much is taken on: requests in flight over all workers, and a rate a key.

All workers count in one table, each in a row of its own, so nobody needs a lock: a worker writes
its row and adds up everybody's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from guard.config import ApiKey
from guard.errors import Overloaded

# Columns: requests in flight; then for each key the minute, and how many began in it.
_FIRST_KEY = 1


def table_shape(workers: int, keys: Sequence[ApiKey]) -> tuple[int, int]:
    """The shape of the int64 table that `Limits` counts in."""
    return (workers, _FIRST_KEY + 2 * len(keys))


class Limits:
    """The limits as one worker sees them. `table`: int64 of `table_shape`, shared or not."""

    def __init__(
        self, max_in_flight: int, keys: Sequence[ApiKey], table: NDArray[np.int64], row: int
    ) -> None:
        self._max = max_in_flight
        self._table = table
        self._mine = table[row]
        self._rates = {
            key.name: (_FIRST_KEY + 2 * number, key.requests_per_minute)
            for number, key in enumerate(keys)
            if key.requests_per_minute is not None
        }

    def enter(self, key: str | None) -> None:
        """A request begins. Raises Overloaded (429) and counts nothing when it may not."""
        if self._in_flight() >= self._max:
            raise Overloaded("Too many requests are being served.", code="too_many_requests")
        column, rate = self._rates.get(key or "", (0, None))
        if rate is not None:
            minute = int(time.monotonic() // 60)
            rows = self._table
            if int(rows[rows[:, column] == minute, column + 1].sum()) >= rate:
                raise Overloaded("The rate limit of this key is reached.", code="rate_limited")
            if int(self._mine[column]) != minute:
                self._mine[column], self._mine[column + 1] = minute, 0
            self._mine[column + 1] += 1
        self._mine[0] += 1

    def _in_flight(self) -> int:
        return int(self._mine[0] if len(self._table) == 1 else self._table[:, 0].sum())

    def leave(self) -> None:
        """A request has ended."""
        self._mine[0] -= 1
