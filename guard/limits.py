"""How much is taken on: requests in flight over all workers, in all and of a key, and a rate a key.

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

# Columns: requests in flight; then for each key those of its own, the minute, and how many began in
# it.
_FIRST_KEY = 1
_KEY_COLUMNS = 3


def table_shape(workers: int, keys: Sequence[ApiKey]) -> tuple[int, int]:
    """The shape of the int64 table that `Limits` counts in."""
    return (workers, _FIRST_KEY + _KEY_COLUMNS * len(keys))


def clear_in_flight(row: NDArray[np.int64]) -> None:
    """Nothing is in flight in a row any more; what began in this minute stays."""
    row[0] = 0
    row[_FIRST_KEY::_KEY_COLUMNS] = 0


class Limits:
    """The limits as one worker sees them. `table`: int64 of `table_shape`, shared or not."""

    def __init__(
        self, max_in_flight: int, keys: Sequence[ApiKey], table: NDArray[np.int64], row: int
    ) -> None:
        self._max = max_in_flight
        self._table = table
        self._mine = table[row]
        self._keys = {
            key.name: (_FIRST_KEY + _KEY_COLUMNS * number, key)
            for number, key in enumerate(keys)
            if key.requests_per_minute is not None or key.max_in_flight is not None
        }

    def enter(self, key: str | None) -> None:
        """A request begins. Raises Overloaded (429) and counts nothing when it may not."""
        if self._in_flight() >= self._max:
            raise Overloaded("Too many requests are being served.", code="too_many_requests")
        if key in self._keys:
            self._enter_key(*self._keys[key])
        self._mine[0] += 1

    def _enter_key(self, column: int, key: ApiKey) -> None:
        rows, most, rate = self._table, key.max_in_flight, key.requests_per_minute
        if most is not None and int(rows[:, column].sum()) >= most:
            message = "Too many requests with this key are being served."
            raise Overloaded(message, code="too_many_requests")
        if rate is not None:
            at, minute = column + 1, int(time.monotonic() // 60)
            if int(rows[rows[:, at] == minute, at + 1].sum()) >= rate:
                raise Overloaded("The rate limit of this key is reached.", code="rate_limited")
            if int(self._mine[at]) != minute:
                self._mine[at], self._mine[at + 1] = minute, 0
            self._mine[at + 1] += 1
        self._mine[column] += 1

    def _in_flight(self) -> int:
        return int(self._mine[0] if len(self._table) == 1 else self._table[:, 0].sum())

    def leave(self, key: str | None) -> None:
        """A request has ended; `key` as it was given to `enter`."""
        self._mine[0] -= 1
        if key in self._keys:
            self._mine[self._keys[key][0]] -= 1
