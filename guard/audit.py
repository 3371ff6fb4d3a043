"""The audit log: one JSON line a decision, appended, each chained to the last by its hash.

A record names policies, signals and times, never text: it is evidence that can be shown around.
Ordinary benign requests are counted in the metrics and not recorded.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
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
    """An append-only JSON Lines file. One writer a server; records are on disk when acknowledged.

    Raises ConfigError when the file cannot be opened, or is not an audit log.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._last = _last_hash(self._file, path)
        except OSError as error:
            raise ConfigError(f"{path}: cannot write the audit log: {error.strerror}") from None
        self._lock = asyncio.Lock()
        self._writing: set[asyncio.Task[None]] = set()  # the loop itself keeps no task alive

    async def write(self, record: Mapping[str, Any]) -> None:
        """Append one record. Raises OSError when the disk refuses it.

        A caller who gives up does not stop a write that has begun: a line on disk that the chain
        does not know would break it.
        """
        writing = asyncio.create_task(self._write(record))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        await asyncio.shield(writing)

    async def _write(self, record: Mapping[str, Any]) -> None:
        async with self._lock:
            line, digest = seal(record, self._last)
            await asyncio.to_thread(self._append, line)
            self._last = digest
        metrics.AUDIT_RECORDS.inc()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _append(self, line: bytes) -> None:
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            if os.write(self._file, line) != len(line):
                raise OSError("the audit record was written in part")
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, end)  # a torn record would break the chain
            raise


def seal(record: Mapping[str, Any], previous: str) -> tuple[bytes, str]:
    """A record as a line, and its hash: SHA-256 over the line without its own `hash` field."""
    body = {"time": datetime.now(UTC).isoformat(), **record, "previous": previous}
    digest = hashlib.sha256(orjson.dumps(body)).hexdigest()
    return orjson.dumps({**body, "hash": digest}) + b"\n", digest


def verify(path: Path) -> tuple[int, int | None]:
    """Check the chain of a log: records read, and the line of the first broken one (or None)."""
    previous, count = GENESIS, 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                record = orjson.loads(line)
                digest = record.pop("hash")
            except (orjson.JSONDecodeError, KeyError, AttributeError, TypeError):
                return count, number
            sealed = hashlib.sha256(orjson.dumps(record)).hexdigest()
            if record.get("previous") != previous or sealed != digest:
                return count, number
            previous, count = digest, count + 1
    return count, None


def _last_hash(file: int, path: Path) -> str:
    """The hash of the last whole record; a torn last line (a crash) is cut off."""
    size = os.fstat(file).st_size
    tail = os.pread(file, min(size, 1 << 20), max(0, size - (1 << 20)))
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail):
        os.ftruncate(file, size - (len(tail) - whole))
    lines = tail[:whole].splitlines()
    if not lines:
        return GENESIS
    try:
        return str(orjson.loads(lines[-1])["hash"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise ConfigError(f"{path}: not an audit log of guard") from None
