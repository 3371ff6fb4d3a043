"""JSON Lines files that are appended to while a run goes on, and that may end in half a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The objects of a file, none where there is no file; what a run that was ended left of a line
    is cut off, so that the next one begins a line of its own."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        path.write_bytes(whole)
    return [orjson.loads(line) for line in whole.splitlines()]


def line(content: dict[str, Any]) -> bytes:
    """One object as it stands in such a file."""
    return orjson.dumps(content) + b"\n"
