"""The audit log: chained, on disk when acknowledged, whole after a crash."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from guard.audit import GENESIS, AuditFile
from guard.audit_check import check_log
from guard.cli.main import app
from guard.errors import ConfigError
from tests.support.audit import records, verify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "audit.jsonl"


async def write(path: Path, count: int, start: int = 0) -> None:
    log = AuditFile(path)
    for number in range(start, start + count):
        await log.write({"request": str(number)})
    log.close()


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
        (lambda lines: [lines[0], lines[1].replace(b"{", b'{"request":"9",', 1), lines[2]], 2),
        (lambda lines: [lines[0], lines[1].replace(b",", b", ", 1), lines[2]], 2),
        (lambda lines: [*lines[:2], b"{" * (1 << 21)], 3),
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


def test_another_server_cannot_write_the_same_log(path: Path) -> None:
    log = AuditFile(path)
    with pytest.raises(ConfigError, match="another server"):
        AuditFile(path)
    log.close()
    AuditFile(path).close()


async def test_what_was_torn_and_could_not_be_cut_is_cut_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditFile(path)
    await log.write({"request": "0"})
    real = os.write

    def torn(file: int, data: bytes) -> int:
        real(file, data[:9])
        raise OSError(5, "Input/output error")

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("guard.audit.os.write", torn)
    monkeypatch.setattr("guard.audit.os.ftruncate", broken)
    with pytest.raises(OSError, match="Input/output"):
        await log.write({"request": "lost"})
    monkeypatch.undo()
    await log.write({"request": "1"})
    log.close()
    assert verify(path) == (2, None)


async def test_a_record_that_is_not_json_is_refused_and_the_next_is_written(path: Path) -> None:
    log = AuditFile(path)
    with pytest.raises(OSError, match="not JSON serializable"):
        await log.write({"request": object()})
    await log.write({"request": "1"})
    await log.finish()
    assert verify(path) == (1, None)


async def test_records_that_wait_together_are_written_together(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditFile(path)
    synced: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr("guard.audit.os.fdatasync", lambda file: (synced.append(1), real(file)))
    await asyncio.gather(*(log.write({"request": str(number)}) for number in range(100)))
    await log.finish()
    assert verify(path) == (100, None)
    assert len(synced) < 10


@pytest.mark.parametrize("after", [0.0, 0.01, 0.05, 0.2])
def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(path: Path, after: float) -> None:
    """A real process, killed while it writes; its successor goes on."""
    acknowledged: set[str] = set()
    for first in ("0", "1000000"):
        command = [sys.executable, "-m", "tests.support.audited", str(path), first]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            acknowledged.add(writer.stdout.readline().decode().strip())
            time.sleep(after)
            writer.kill()
            told = writer.stdout.read().decode()
        acknowledged.update(told[: told.rfind("\n") + 1].split())
        checked = check_log(path)
        assert checked.whole
        lines = path.read_bytes().splitlines()[: checked.records]
        assert acknowledged <= {orjson.loads(line)["request"] for line in lines}


async def test_a_hash_noted_earlier_shows_that_the_end_was_cut_off(path: Path) -> None:
    await write(path, 3)
    hashes = [record["hash"] for record in records(path)]
    assert check_log(path).last == hashes[-1]
    assert [check_log(path, noted).whole for noted in (None, *hashes, "0" * 64)] == [True] * 5
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert [check_log(path, noted).whole for noted in (None, *hashes)] == [True, True, True, False]


@pytest.mark.parametrize(
    ("damage", "arguments", "code", "says"),
    [
        (lambda whole: whole, [], 0, "2 good records"),
        (lambda whole: whole, ["--json"], 0, '"whole":true'),
        (lambda whole: whole + b'{"time"', [], 0, "unfinished"),
        (lambda whole: whole.replace(b'"0"', b'"1"'), [], 1, "BROKEN: line 1"),
        (lambda whole: whole, ["--noted", "f" * 64], 1, "BROKEN: no record"),
        (lambda whole: b"", [], 0, "0 good records"),
    ],
)
async def test_the_command_says_whether_a_log_is_whole(
    path: Path, damage: Callable[[bytes], bytes], arguments: list[str], code: int, says: str
) -> None:
    await write(path, 2)
    path.write_bytes(damage(path.read_bytes()))
    done = CliRunner().invoke(app, ["audit", "verify", str(path), *arguments])
    assert (done.exit_code, says in done.output) == (code, True), done.output


def test_a_log_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["audit", "verify", str(tmp_path / "none")]).exit_code == 2
