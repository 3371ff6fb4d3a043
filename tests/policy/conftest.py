"""Policies on disk for the tests of this package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., Path]

HEAD = "version: 1\nname: sample\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes one file of the policy directory; text is taken as UTF-8, bytes as they are."""

    def write_file(content: str | bytes, name: str = "sample.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file
