"""Published data that the repository does not ship: read by path; tests skip where it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(
    os.environ.get("GUARD_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
)


def reference(*parts: str) -> Path:
    """A file or folder of the data. Skips the test where it is missing."""
    path = FOLDER.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs {'/'.join(parts)}: set GUARD_TEST_DATA to the folder that holds it")
    return path
