"""Things made once and kept: a folder is either there whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

_STAMP = "made-from.txt"


def cache_dir() -> Path:
    """`$GUARD_CACHE_DIR`, or `~/.cache/guard-forget`."""
    configured = os.environ.get("GUARD_CACHE_DIR")
    return Path(configured) if configured else Path.home() / ".cache" / "guard-forget"


def made_once(folder: Path, stamp: str, make: Callable[[Path], None]) -> Path:
    """`folder`, filled by `make(empty folder)` unless it was made from the same `stamp` before.

    `make` works beside the final place and the result is renamed into it, so that an interrupted
    run leaves nothing that a later one would trust. Raises whatever `make` raises, and `OSError`
    where the cache cannot be written.
    """
    if _stamp_of(folder) == stamp:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        make(made)
        (made / _STAMP).write_text(stamp)
        # Another process may have finished first: its result is as good as ours.
        if _stamp_of(folder) != stamp:
            with contextlib.suppress(FileNotFoundError):
                folder.rename(Path(scratch) / "outdated")
            made.rename(folder)
    return folder


def _stamp_of(folder: Path) -> str | None:
    try:
        return (folder / _STAMP).read_text()
    except OSError:
        return None
