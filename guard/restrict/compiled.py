"""The one compiler switch: numba at run time, plain functions to the type checker."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

F = TypeVar("F")
if TYPE_CHECKING:

    def njit(function: F) -> F: ...

else:
    import numba

    njit = numba.njit(cache=True)
