"""Rows of JSON and JSON Lines files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from guard.errors import EvaluateError


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Objects of a JSON list, or one a line. Raises EvaluateError that names file and line."""
    content = read_bytes(path)
    if content.lstrip()[:1] == b"[":
        try:
            rows = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise EvaluateError(f"{path}: not JSON: {error}") from error
    else:
        rows = []
        for number, line in enumerate(content.splitlines(), start=1):
            if line.strip():
                try:
                    rows.append(orjson.loads(line))
                except orjson.JSONDecodeError as error:
                    raise EvaluateError(f"{path}:{number}: not JSON: {error}") from error
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise EvaluateError(f"{path}: no rows, or rows that are no objects")
    return list(rows)


def read_bytes(path: Path) -> bytes:
    """The file. Raises EvaluateError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise EvaluateError(f"{path}: {error.strerror}") from error


def text_of(path: Path, row: dict[str, Any], *keys: str) -> str:
    """The first of these fields that is a text. Raises EvaluateError when none is."""
    for key in keys:
        if isinstance(row.get(key), str):
            return str(row[key])
    raise EvaluateError(f"{path}: a row has no text in {' or '.join(keys)}")
