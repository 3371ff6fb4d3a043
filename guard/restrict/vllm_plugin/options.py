"""How the plugin is set up: by the environment, which is all that reaches an engine's workers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from guard.errors import EngineError

SHELF = "GUARD_SHELF"
NODES = "GUARD_SHELF_NODES"

_DEFAULT_NODES = 8_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """`shelf`: the directory shared with the proxy; `nodes`: trie nodes that memory is reserved
    for, 15 bytes each, which the system hands out when they are first used."""

    shelf: Path
    nodes: int = _DEFAULT_NODES


def options_of(environment: Mapping[str, str] = os.environ) -> Options:
    """Read them. Raises EngineError: a plugin that could not guard must not look as if it did."""
    shelf = environment.get(SHELF)
    if not shelf:
        raise EngineError(f"{SHELF} is not set: the directory that the guard puts its policies in")
    text = environment.get(NODES, str(_DEFAULT_NODES))
    if not text.isdecimal() or int(text) < 1024:
        raise EngineError(f"{NODES} must be a whole number of at least 1024, not {text!r}")
    return Options(Path(shelf), int(text))
