"""The audit log: chained, on disk when acknowledged, whole after a crash."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import orjson
import pytest

from guard.audit import GENESIS, AuditFile, verify
from guard.errors import ConfigError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "audit.jsonl"


async def write(path: Path, count: int, start: int = 0) -> None:
    log = AuditFile(path)
    for number in range(start, start + count):
        await log.write({"request": str(number)})
    log.close()


def records(path: Path) -> list[dict[str, str]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


async def test_records_are_chained_from_the_first(path: Path) -> None:
    await write(path, 3)
    found = records(path)
    assert [record["request"] for record in found] == ["0", "1", "2"]
    assert found[0]["previous"] == GENESIS
    assert [record["previous"] for record in found[1:]] == [record["hash"] for record in found[:2]]
    assert all("time" in record for record in found)
    assert verify(path) == (3, None)


async def test_a_log_goes_on_where_it_stopped(path: Path) -> None:
    await write(path, 2)
    await write(path, 2, start=2)
    assert [record["request"] for record in records(path)] == ["0", "1", "2", "3"]
    assert verify(path) == (4, None)


async def test_many_writers_at_once_keep_the_chain(path: Path) -> None:
    log = AuditFile(path)
    await asyncio.gather(*(log.write({"request": str(number)}) for number in range(50)))
    log.close()
    assert verify(path) == (50, None)


async def test_a_caller_who_gives_up_does_not_break_the_chain(path: Path) -> None:
    log = AuditFile(path)
    for number in range(30):
        writing = asyncio.create_task(log.write({"request": str(number)}))
        await asyncio.sleep(0.001 * (number % 3))
        writing.cancel()
        await asyncio.wait({writing})
    await log.write({"request": "last"})
    log.close()
    count, broken = verify(path)
    assert broken is None
    assert count >= 1
    assert records(path)[-1]["request"] == "last"


@pytest.mark.parametrize(
    ("damage", "broken"),
    [
        (lambda lines: [lines[0].replace(b'"0"', b'"9"'), *lines[1:]], 1),
        (lambda lines: [lines[0], lines[2]], 2),
        (lambda lines: [lines[1], lines[0], lines[2]], 1),
        (lambda lines: [*lines[:2], b"garbage\n"], 3),
        (lambda lines: [*lines[:2], b"{}\n"], 3),
        (lambda lines: [*lines[:2], b"[1]\n"], 3),
        (lambda lines: lines[1:], 1),
    ],
)
async def test_a_changed_log_is_found_out(path: Path, damage: object, broken: int) -> None:
    await write(path, 3)
    path.write_bytes(b"".join(damage(path.read_bytes().splitlines(keepends=True))))  # type: ignore[operator]
    assert verify(path) == (broken - 1, broken)


@pytest.mark.parametrize("torn", [b'{"time": "2026', b"{}", b"\x00"])
async def test_a_record_torn_by_a_crash_is_cut_off(path: Path, torn: bytes) -> None:
    await write(path, 2)
    with path.open("ab") as log:
        log.write(torn)
    await write(path, 1, start=2)
    assert verify(path) == (3, None)


async def test_a_disk_that_is_full_breaks_no_record(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditFile(path)
    await log.write({"request": "0"})
    real = os.write

    def half(file: int, data: bytes) -> int:
        return real(file, data[: len(data) // 2])

    monkeypatch.setattr("guard.audit.os.write", half)
    with pytest.raises(OSError, match="in part"):
        await log.write({"request": "lost"})
    monkeypatch.undo()
    await log.write({"request": "1"})
    log.close()
    assert [record["request"] for record in records(path)] == ["0", "1"]
    assert verify(path) == (2, None)


def test_another_file_is_not_taken_for_an_audit_log(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("some other file\n")
    with pytest.raises(ConfigError, match="not an audit log"):
        AuditFile(path)


def test_a_log_that_cannot_be_opened_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write the audit log"):
        AuditFile(tmp_path)


def test_only_the_owner_may_read_it(path: Path) -> None:
    AuditFile(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
