"""Which files a model's answers depend on, as one hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def folder_digest(folder: Path, patterns: Iterable[str]) -> str:
    """SHA-256 over the names and contents of the files that match."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
        digest.update(f"{path.relative_to(folder)}\n{path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
