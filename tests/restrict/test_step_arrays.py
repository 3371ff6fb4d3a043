"""Arrays by address: only what compiled code expects is packed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from guard.restrict.step_arrays import ORDER, SPANS, TEXT, packed
from tests.restrict.test_token_guard import GUARD


def test_each_array_has_its_address_and_length() -> None:
    arrays = GUARD._arrays
    table = packed(arrays)
    assert sorted(arrays) == list(range(len(table))), "every one is given"
    for which in (ORDER, SPANS, TEXT):
        assert table[which].tolist() == [arrays[which].ctypes.data, len(arrays[which])]


@pytest.mark.parametrize(
    "array", [np.zeros(10, dtype=np.uint8)[::2], np.zeros(10, dtype=np.int64), np.zeros(3)]
)
def test_another_type_or_a_part_with_gaps_is_refused(array: Any) -> None:
    with pytest.raises(ValueError, match="contiguous"):
        packed({TEXT: array})
