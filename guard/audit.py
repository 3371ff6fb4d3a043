"""The audit log: one JSON line a decision, appended, each chained to the last by its hash.

A record names policies, signals and times, never text: it is evidence that can be shown around.
Ordinary benign requests are counted in the metrics and not recorded. `guard audit verify` reads it
(guard/audit_check.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import orjson

from guard import metrics
from guard.errors import ConfigError

GENESIS = "0" * 64


class AuditLog(Protocol):
    """Where decisions are recorded. `write` returns once the record is safe."""

    async def write(self, record: Mapping[str, Any]) -> None: ...


class NoAudit:
    """No audit log was configured."""

    async def write(self, record: Mapping[str, Any]) -> None:
        """Drop the record."""


class AuditFile:
    """An append-only JSON Lines file. Records are on disk when acknowledged.

    Those that wait together are written together: one sync of the disk for all of them. The file
    is locked, since two writers would each break the other's chain. Raises ConfigError when it
    cannot be opened, is not an audit log, or is another server's.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise ConfigError(f"{path}: cannot write the audit log: {error.strerror}") from None
        try:
            self._last = _taken(self._file, path)
        except ConfigError:
            os.close(self._file)
            raise
        self._end = os.fstat(self._file).st_size
        self._waiting: list[tuple[Mapping[str, Any], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, record: Mapping[str, Any]) -> None:
        """Append one record. Raises OSError when the disk refuses it.

        A caller who gives up does not stop a write that has begun: a line on disk that the chain
        does not know would break it.
        """
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((record, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_waiting())
        await asyncio.shield(written)

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            lines, last = [], self._last
            try:
                for record, _ in batch:
                    line, last = seal(record, last)
                    lines.append(line)
                await asyncio.to_thread(self._append, b"".join(lines))
            except (OSError, TypeError) as error:  # orjson's for what is not JSON
                for _, written in batch:
                    if not written.done():  # an exception a caller: each adds its own traceback
                        written.set_exception(OSError(*error.args))
                continue
            self._last = last
            metrics.AUDIT_RECORDS.inc(len(batch))
            for _, written in batch:
                if not written.done():
                    written.set_result(None)

    async def finish(self) -> None:
        """Write what waits, then close the file."""
        if self._writing is not None:
            await asyncio.wait({self._writing})
        self.close()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _append(self, lines: bytes) -> None:
        if os.fstat(self._file).st_size > self._end:
            os.ftruncate(self._file, self._end)  # torn before, and could not be cut then
        try:
            if os.write(self._file, lines) != len(lines):
                raise OSError("the audit record was written in part")
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self._end)  # a torn record would break the chain
            raise
        self._end += len(lines)


def seal(record: Mapping[str, Any], previous: str) -> tuple[bytes, str]:
    """A record as a line, and its hash: SHA-256 over the line without its own `hash` field."""
    body = {"time": datetime.now(UTC).isoformat(), **record, "previous": previous}
    digest = hashlib.sha256(orjson.dumps(body)).hexdigest()
    return orjson.dumps({**body, "hash": digest}) + b"\n", digest


def _taken(file: int, path: Path) -> str:
    """Lock the file, make its name as safe as what is in it, and find where its chain ends."""
    try:
        if stat.S_ISREG(os.fstat(file).st_mode):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        last = _last_hash(file, path)
    except BlockingIOError:
        raise ConfigError(f"{path}: another server writes this audit log") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot write the audit log: {error.strerror}") from None
    with contextlib.suppress(OSError):  # some network mounts cannot sync a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return last


def _last_hash(file: int, path: Path) -> str:
    """The hash of the last whole record; a torn last line (a crash) is cut off."""
    size = os.fstat(file).st_size
    tail = os.pread(file, min(size, 1 << 20), max(0, size - (1 << 20)))
    whole = tail.rfind(b"\n") + 1
    if not whole and size > len(tail):
        raise ConfigError(f"{path}: not an audit log of guard")
    if whole < len(tail):
        os.ftruncate(file, size - (len(tail) - whole))
    lines = tail[:whole].splitlines()
    if not lines:
        return GENESIS
    try:
        return str(orjson.loads(lines[-1])["hash"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise ConfigError(f"{path}: not an audit log of guard") from None
