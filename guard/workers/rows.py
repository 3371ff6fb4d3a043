"""The table of limits that all workers see, a row each.

A file mapped into every worker's memory, and a lock file a row. The kernel gives a lock back
however its holder ends, and keeps it whatever happens to the hub.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from guard.config import ApiKey
from guard.errors import ConfigError
from guard.limits import clear_in_flight, table_shape


def create(folder: Path, workers: int, keys: Sequence[ApiKey]) -> None:
    """Make the table. More rows than workers: on a rolling restart old and new ones overlap."""
    table = np.zeros(table_shape(2 * workers + 8, keys), dtype=np.int64)
    np.save(folder / "table.npy", table)


@dataclass(slots=True)
class Row:
    """One worker's place in the table, until `release` or the end of the process."""

    table: NDArray[np.int64]
    number: int
    lock: int

    def release(self) -> None:
        """Let another worker have it."""
        os.close(self.lock)


def claim(folder: Path) -> Row:
    """Take the first free row; clear what workers that died still had in flight.

    How many requests a key began this minute stays: a crash does not refill its rate. Raises
    ConfigError when there are more workers than rows.
    """
    # As a plain array: numpy's class for mapped files makes every look at it slower.
    table = np.asarray(np.load(folder / "table.npy", mmap_mode="r+"))
    mine: Row | None = None
    for number in range(len(table)):
        lock = _locked(folder / str(number))
        if lock is None:
            continue
        clear_in_flight(table[number])
        if mine is None:
            mine = Row(table, number, lock)
        else:
            os.close(lock)
    if mine is None:
        raise ConfigError(f"there are more workers than the {len(table)} rows of the limits")
    return mine


def _locked(path: Path) -> int | None:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file
