"""The one compiler switch: numba at run time, plain functions to the type checker."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

F = TypeVar("F")
if TYPE_CHECKING:

    def njit(function: F) -> F: ...

    def njit_nogil(function: F) -> F: ...

else:
    import numba

    njit = numba.njit(cache=True)
    # For the long work of a background thread: other threads of the process go on meanwhile.
    njit_nogil = numba.njit(cache=True, nogil=True)
