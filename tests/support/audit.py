"""Short words for looking at audit logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from guard.audit_check import check_log


def verify(path: Path) -> tuple[int, int | None]:
    """Good records, and the line of the first broken one (or None)."""
    checked = check_log(path)
    return checked.records, checked.broken


def records(path: Path) -> list[dict[str, Any]]:
    """What the log says."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]
