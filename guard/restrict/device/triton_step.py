"""The device side of a step in Triton kernels: five launches, none of which waits."""

from __future__ import annotations

from typing import Any

import torch

from guard.restrict.device import triton_kernels as kernels
from guard.restrict.device.layout import PLACE_WIDTH
from guard.restrict.device.store import SlotStore
from guard.restrict.device.tables import DeviceTables

_BAN_PARTS = 8  # programs that share the intervals of one row
_CONTINUE_PARTS = 16  # and the tokens that go on with a character


class TritonStep:
    """What `steps.Step` says. The kernels bound their loops by what they read, so that `most` is
    of no use to them."""

    def __init__(self, tables: DeviceTables, store: SlotStore, *, end: int) -> None:
        self._tables = tables
        self._store = store
        self._end = end

    def advance(
        self, slots: torch.Tensor, history: torch.Tensor, total: torch.Tensor, most: int
    ) -> None:
        """See `Step.advance`."""
        spare = self._places(len(slots))
        kernels.advance_kernel[(len(slots),)](
            *self._walked(), self._store.slots, self._store.places, spare, slots, history,
            history.stride(0), total, num_warps=1,
        )  # fmt: skip

    def restrict(
        self,
        logits: torch.Tensor,
        slots: torch.Tensor,
        offsets: torch.Tensor,
        fed: torch.Tensor,
        total: torch.Tensor,
        most: int,
    ) -> None:
        """See `Step.restrict`."""
        t, store, rows, width = self._tables, self._store, len(slots), logits.shape[1]
        spare, walked, asked = (self._places(rows) for _ in range(3))
        kernels.walk_kernel[(rows,)](
            *self._walked(), store.slots, store.places, spare, walked, asked, slots, offsets, fed,
            total, num_warps=1,
        )  # fmt: skip
        kernels.ban_kernel[(rows, _BAN_PARTS)](
            logits, logits.stride(0), width, t.entry, t.place, t.pool, t.order, store.slots, asked,
            slots, num_warps=1,
        )  # fmt: skip
        if len(t.continuing):
            trial = self._places(2 * rows * _CONTINUE_PARTS)
            kernels.continue_kernel[(rows, _CONTINUE_PARTS)](
                *self._walked(), logits, logits.stride(0), width, store.slots, trial, walked, slots,
                t.continuing, len(t.continuing), num_warps=1,
            )  # fmt: skip
        kernels.settle_kernel[(rows,)](
            logits, logits.stride(0), width, self._end, store.slots, asked, store.soft_tokens,
            store.soft_penalties, slots, num_warps=4,
        )  # fmt: skip

    def _places(self, rows: int) -> torch.Tensor:
        return torch.empty((rows, PLACE_WIDTH), dtype=torch.int32, device=self._tables.device)

    def _walked(self) -> tuple[Any, ...]:
        t = self._tables
        return (
            t.first, t.labels, t.accept, t.code, t.symbols, t.alternatives, t.text, t.starts,
            t.special, t.tokens,
        )  # fmt: skip
