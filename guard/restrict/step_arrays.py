"""The arrays that a step of a batch reads and writes, as one array of addresses.

A step runs beside the model's own, which pushes everything out of the caches. To pass an array,
numba reads its header and counts a reference: for three dozen arrays that costs more than the step
itself. So addresses and lengths are written down once, and compiled code is told where that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from guard.restrict.compiled import njit
from guard.restrict.completion_table import VARIANTS

if TYPE_CHECKING:

    def carray(pointer: Any, shape: Any, dtype: Any) -> Any: ...
    def _pointer(address: int) -> Any: ...

else:
    from numba import carray, types
    from numba.extending import intrinsic

    @intrinsic
    def _pointer(typing_context, address):
        """An address as what `carray` takes."""

        def generate(context, builder, signature, arguments):
            return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

        return types.voidptr(types.int64), generate


# Where each array stands in what `packed` makes, by the type of its numbers.
PLACES, ROOTS, ROOT_COUNTS, FRAMES, SCRATCH, ONE, BUFFER, STARTS, MEM_USED = range(9)
SPANS, ORDER, VOCAB_FIRST, LOW, OWN, HIGH, FIRST = range(9, 16)
ENTRY, TABLE_PLACE, TABLE_POOL, MEM_PLACE, MEM_SIZE, MEM_POOL = range(16, 22)
TEXT, VOCAB_LABELS, MOST, MOST_NEW, SYMBOLS, LABELS, ACCEPT, REACH = range(22, 30)
CODE, ALTERNATIVES = range(30, 32)
SHAPE, MEM_KEYS = range(32, 34)
SPECIAL = 34
_TYPES = np.repeat(["int64", "int32", "uint8", "uint32", "uint64", "bool"], [9, 13, 8, 2, 2, 1])


def packed(arrays: Mapping[int, NDArray[Any]]) -> NDArray[np.int64]:
    """Address and length of each array: int64 (arrays, 2). Whoever uses it keeps the arrays."""
    table = np.zeros((len(_TYPES), 2), dtype=np.int64)
    for which, array in arrays.items():
        if array.dtype != _TYPES[which] or not array.flags.c_contiguous:
            raise ValueError(f"array {which} must be of {_TYPES[which]}, and contiguous")
        table[which] = array.ctypes.data, len(array)
    return table


@njit
def unpacked(address: int) -> Any:
    """What `packed` made, from its address."""
    return carray(_pointer(address), (35, 2), np.int64)


@njit
def int64s_at(address: int, rows: int, columns: int) -> Any:
    """int64 (rows, columns) at an address."""
    return carray(_pointer(address), (rows, columns), np.int64)


@njit
def float32s_at(address: int, rows: int, columns: int) -> Any:
    """float32 (rows, columns) at an address."""
    return carray(_pointer(address), (rows, columns), np.float32)


# The arrays of a table: `which` says which one, `columns` how wide one of two dimensions is.


@njit
def bools(table: Any, which: int) -> Any:
    return carray(_pointer(table[which, 0]), (table[which, 1],), np.bool_)


@njit
def uint8s(table: Any, which: int) -> Any:
    return carray(_pointer(table[which, 0]), (table[which, 1],), np.uint8)


@njit
def uint8_rows(table: Any, which: int, columns: int) -> Any:
    return carray(_pointer(table[which, 0]), (table[which, 1], columns), np.uint8)


@njit
def int32s(table: Any, which: int) -> Any:
    return carray(_pointer(table[which, 0]), (table[which, 1],), np.int32)


@njit
def int32_rows(table: Any, which: int, columns: int) -> Any:
    return carray(_pointer(table[which, 0]), (table[which, 1], columns), np.int32)


@njit
def uint32s(table: Any, which: int) -> Any:
    return carray(_pointer(table[which, 0]), (table[which, 1],), np.uint32)


@njit
def int64s(table: Any, which: int) -> Any:
    return carray(_pointer(table[which, 0]), (table[which, 1],), np.int64)


@njit
def int64_rows(table: Any, which: int, columns: int) -> Any:
    return carray(_pointer(table[which, 0]), (table[which, 1], columns), np.int64)


@njit
def uint64s(table: Any, which: int) -> Any:
    return carray(_pointer(table[which, 0]), (table[which, 1],), np.uint64)


@njit
def table_places(table: Any) -> Any:
    """int32 (n, VARIANTS, 2), see `Completions`."""
    shape = (table[TABLE_PLACE, 1], VARIANTS, 2)
    return carray(_pointer(table[TABLE_PLACE, 0]), shape, np.int32)
