"""Workers count in one table, and one that dies leaves nothing in flight behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from guard.config import ApiKey
from guard.errors import ConfigError, Overloaded
from guard.limits import Limits
from guard.workers import rows

KEYS = (ApiKey(name="k", sha256="0" * 64, requests_per_minute=4),)

# A worker that takes a row, has two requests in flight, and waits to be killed.
_WORKER = """
import sys
from pathlib import Path
from guard.config import ApiKey
from guard.limits import Limits
from guard.workers import rows
row = rows.claim(Path(sys.argv[1]))
keys = (ApiKey(name="k", sha256="0" * 64, requests_per_minute=4),)
limits = Limits(100, keys, row.table, row.number)
limits.enter("k")
limits.enter("k")
print(row.number, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows.create(tmp_path, 2, KEYS)
    return tmp_path


def limits(row: rows.Row, max_in_flight: int = 100) -> Limits:
    return Limits(max_in_flight, KEYS, row.table, row.number)


def test_workers_get_rows_of_their_own_until_there_are_none(folder: Path) -> None:
    taken = [rows.claim(folder) for _ in range(12)]
    assert [row.number for row in taken] == list(range(12))
    with pytest.raises(ConfigError, match="more workers than the 12 rows"):
        rows.claim(folder)
    taken[5].release()
    assert rows.claim(folder).number == 5


def test_what_one_worker_has_in_flight_counts_for_the_other(folder: Path) -> None:
    one, other = (limits(rows.claim(folder), max_in_flight=2) for _ in range(2))
    one.enter(None)
    other.enter(None)
    for worker in (one, other):
        with pytest.raises(Overloaded):
            worker.enter(None)
    one.leave(None)
    other.enter(None)


def test_a_killed_worker_leaves_its_rate_and_nothing_in_flight(folder: Path) -> None:
    mine = rows.claim(folder)
    killed = subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert killed.stdout is not None
    number = int(killed.stdout.readline())
    assert number != mine.number
    before = mine.table[number].tolist()
    assert before[0] == 2
    killed.kill()
    killed.communicate()

    successor = rows.claim(folder)
    assert successor.number == number
    assert before[1] == 2
    assert successor.table[number].tolist() == [0, 0, *before[2:]]


def test_the_living_keep_what_they_have_in_flight(folder: Path) -> None:
    mine = rows.claim(folder)
    limits(mine).enter("k")
    rows.claim(folder)
    assert mine.table[mine.number, 0] == 1
