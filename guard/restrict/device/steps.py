"""What a step of the device side is, whoever computes it."""

from __future__ import annotations

from typing import Protocol

import torch


class Step(Protocol):
    """Two calls a step; neither waits for the device.

    `slots`: the request slot of each request or row, negative for nobody. `total`: int32 (slots,),
    committed tokens of each slot.
    """

    def advance(
        self, slots: torch.Tensor, history: torch.Tensor, total: torch.Tensor, most: int
    ) -> None:
        """Read on in each request to the end of its committed tokens.

        `history`: int32 (slots, positions), committed tokens. `most`: no request has more tokens
        to read than this. Read twice, the second time reads nothing.
        """
        ...

    def restrict(
        self,
        logits: torch.Tensor,
        slots: torch.Tensor,
        offsets: torch.Tensor,
        fed: torch.Tensor,
        total: torch.Tensor,
        most: int,
    ) -> None:
        """Forbid, in place, in float32 logits (rows, width).

        A row stands behind the committed tokens of its slot and offsets[row] draft tokens, which
        are fed[row - offsets[row] + 1 : row + 1]; `most`: no row has more of them than this.
        """
        ...
