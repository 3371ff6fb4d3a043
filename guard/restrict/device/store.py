"""What the device side keeps for each request slot: its settings, and how far its text was read.

Written between steps from the host (`stage`, `flush`), in stream order, and by the walk, which
only ever advances a place over committed tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from guard.errors import EngineError
from guard.restrict.device.layout import (
    ACTIVE,
    FLAGS,
    PLACE_WIDTH,
    ROOT_COUNT,
    ROOTS,
    SEEN,
    SLOT_WIDTH,
    SOFT_SIZE,
    SOFT_START,
    WORD_START,
)
from guard.restrict.segments import Segments
from guard.restrict.token_walk import LOST, MAX_ROOTS
from guard.restrict.word_start import AT_WORD

Soft = tuple[NDArray[np.int32], NDArray[np.float32]]


@dataclass
class _Penalties:
    start: int
    size: int
    users: int


class SlotStore:
    """`slots` int32 (n + 1, SLOT_WIDTH) and `places` int32 (n + 1, PLACE_WIDTH) for n slots; the
    last row is nobody's. `soft_tokens` int32 and `soft_penalties` float32 (`soft`,): sparse
    penalties, each set once for all slots that use it."""

    def __init__(self, slots: int, device: torch.device, *, soft: int = 1 << 18) -> None:
        self._device = device
        self._nobody = slots
        self.slots = torch.zeros((slots + 1, SLOT_WIDTH), dtype=torch.int32, device=device)
        self.places = torch.zeros((slots + 1, PLACE_WIDTH), dtype=torch.int32, device=device)
        self.soft_tokens = torch.zeros(soft, dtype=torch.int32, device=device)
        self.soft_penalties = torch.zeros(soft, dtype=torch.float32, device=device)
        self.most_soft = 0
        self._segments = Segments(soft, "penalties")
        self._penalties: dict[str, _Penalties] = {}
        self._soft_of: dict[int, str] = {}
        self._staged: dict[int, tuple[NDArray[np.int32], NDArray[np.int32]]] = {}
        self._staged_soft: list[tuple[int, Soft]] = []

    def at(self, slots: torch.Tensor) -> torch.Tensor:
        """Rows of the tensors for slots as the engine numbers them; a negative one is nobody's."""
        return torch.where(slots < 0, self._nobody, slots).long()

    def stage(
        self, slot: int, roots: Sequence[int] | None, begin: int, soft: tuple[str, Soft] | None
    ) -> None:
        """A new request in a slot, whose text begins at token `begin` of its tokens, under the
        tries with these roots; None, or too many, for one that may only end."""
        config = np.zeros(SLOT_WIDTH, dtype=np.int32)
        place = np.zeros(PLACE_WIDTH, dtype=np.int32)
        config[ACTIVE] = 1
        place[SEEN], place[WORD_START] = begin, AT_WORD
        if roots is None or len(roots) > MAX_ROOTS:
            place[FLAGS] = LOST
        else:
            config[ROOTS : ROOTS + len(roots)] = roots
            config[ROOT_COUNT] = len(roots)
        self._forget_soft(slot)
        if soft is not None:
            held = self._hold_soft(slot, *soft)
            config[SOFT_START], config[SOFT_SIZE] = held
        self._staged[slot] = (config, place)

    def clear(self, slot: int) -> None:
        """The slot is none of our business."""
        self._forget_soft(slot)
        self._staged[slot] = (
            np.zeros(SLOT_WIDTH, dtype=np.int32),
            np.zeros(PLACE_WIDTH, dtype=np.int32),
        )

    def flush(self) -> None:
        """Bring what was staged to the device, without waiting for it."""
        for start, (tokens, penalties) in self._staged_soft:
            self.soft_tokens[start : start + len(tokens)] = self._bring(tokens)
            self.soft_penalties[start : start + len(tokens)] = self._bring(penalties)
        self._staged_soft.clear()
        if not self._staged:
            return
        which = self._bring(np.array(list(self._staged), dtype=np.int64))
        self.slots[which] = self._bring(np.stack([config for config, _ in self._staged.values()]))
        self.places[which] = self._bring(np.stack([place for _, place in self._staged.values()]))
        self._staged.clear()

    def _bring(self, array: NDArray[Any]) -> torch.Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self._device.type != "cuda":
            return tensor.to(self._device)
        return tensor.pin_memory().to(self._device, non_blocking=True)

    def _hold_soft(self, slot: int, name: str, soft: Soft) -> tuple[int, int]:
        held = self._penalties.get(name)
        if held is None:
            tokens, penalties = soft
            try:
                start = self._segments.take(len(tokens))
            except EngineError:
                return 0, 0  # a hint that does not fit is left out; the bans stand
            held = self._penalties[name] = _Penalties(start, len(tokens), 0)
            self._staged_soft.append((start, (tokens, penalties)))
            self.most_soft = max(self.most_soft, len(tokens))
        held.users += 1
        self._soft_of[slot] = name
        return held.start, held.size

    def _forget_soft(self, slot: int) -> None:
        name = self._soft_of.pop(slot, None)
        if name is None:
            return
        held = self._penalties[name]
        held.users -= 1
        if held.users == 0:
            self._segments.give_back(held.start)
            del self._penalties[name]
