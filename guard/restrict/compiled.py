"""The one compiler switch: numba at run time, plain functions to the type checker.

Numba keeps what it has compiled by the function's own file and does not see that a function it
calls has changed in another: after an upgrade in place the filter would run on old code. So each
state of this package's sources has a folder of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

F = TypeVar("F")


def sources_hash(folder: Path = Path(__file__).parent) -> str:
    """A hash of the Python files below a folder: of those whose functions are compiled."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


if TYPE_CHECKING:

    def njit(function: F) -> F: ...

    def njit_nogil(function: F) -> F: ...

else:
    import numba

    _PLACE = Path(numba.config.CACHE_DIR or Path(__file__).parent / "__pycache__") / sources_hash()

    def _compiler(**options: Any) -> Callable[[Any], Any]:
        def compiled(function: Any) -> Any:
            # Numba asks for the folder when it is given a function. Where it cannot be written,
            # numba falls back on one of the user's own, which goes by each file's own time: there
            # an upgrade has to write every file anew, as pip does.
            before = numba.config.CACHE_DIR
            numba.config.CACHE_DIR = str(_PLACE)
            try:
                return numba.njit(cache=True, **options)(function)
            finally:
                numba.config.CACHE_DIR = before

        return compiled

    njit = _compiler()
    # For the long work of a background thread: other threads of the process go on meanwhile.
    njit_nogil = _compiler(nogil=True)
