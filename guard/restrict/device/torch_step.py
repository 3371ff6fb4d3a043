"""The device side of a step in tensor operations: the reference, and what runs without Triton."""

from __future__ import annotations

import torch

from guard.restrict.device.layout import (
    ACTIVE,
    END_LOGIT,
    ROOT_COUNT,
    ROOTS,
    SEEN,
    SOFT_SIZE,
    SOFT_START,
)
from guard.restrict.device.store import SlotStore
from guard.restrict.device.tables import DeviceTables
from guard.restrict.device.torch_walk import Rows, TorchWalk
from guard.restrict.token_walk import LOST, MATCHED, MAX_ROOTS, WAITING
from guard.restrict.utf8 import BROKEN, NONE

_AT_ONCE = 64  # intervals of each list that are looked at together


class TorchStep:
    """What `steps.Step` says, by tensor operations on any device."""

    def __init__(
        self, tables: DeviceTables, store: SlotStore, *, end: int, shortcuts: bool | None = None
    ) -> None:
        self._tables = tables
        self._store = store
        self._end = end
        if shortcuts is None:
            shortcuts = tables.device.type == "cpu"
        self._walk = TorchWalk(tables, shortcuts=shortcuts)

    def advance(
        self, slots: torch.Tensor, history: torch.Tensor, total: torch.Tensor, most: int
    ) -> None:
        """See `Step.advance`."""
        at = self._store.at(slots)
        config, places = self._store.slots[at], self._store.places[at]
        active = config[:, ACTIVE] != 0
        rows = Rows.read(places, config[:, ROOTS : ROOTS + MAX_ROOTS], config[:, ROOT_COUNT])
        which = slots.clamp(min=0).long()
        length = total[which].long()
        seen = places[:, SEEN].long()
        left = torch.where(active, (length - seen).clamp(min=0), 0)
        for i in range(self._walk.most(left, most)):
            doing = i < left
            position = torch.where(doing, seen + i, 0)
            self._walk.take(rows, history[which, position].long(), doing)
            rows.flags = rows.flags & LOST
        written = rows.write(places)
        written[:, SEEN] = (seen + left.clamp(max=most)).int()
        self._store.places[at] = torch.where(active[:, None], written, places)

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
        at = self._store.at(slots)
        config, places = self._store.slots[at], self._store.places[at]
        active = config[:, ACTIVE] != 0
        behind = places[:, SEEN] < total[slots.clamp(min=0).long()]
        rows = Rows.read(places, config[:, ROOTS : ROOTS + MAX_ROOTS], config[:, ROOT_COUNT])
        drafts = torch.where(active, offsets.long(), 0)
        first = torch.arange(len(slots), device=logits.device) - drafts
        for i in range(self._walk.most(drafts, most)):
            doing = i < drafts
            token = fed[torch.where(doing, first + i + 1, 0)].long()
            self._walk.take(rows, token, doing)
            rows.flags = rows.flags & LOST
        banned = self._banned(rows, logits.shape[1], active)
        only_end = active & (((rows.flags & LOST) != 0) | behind | (drafts > most))
        self._soften(logits, config, active)
        logits.masked_fill_(banned & active[:, None], float("-inf"))
        only_end = only_end | (active & ~(logits > float("-inf")).any(1))
        logits.masked_fill_(only_end[:, None], float("-inf"))
        logits[:, self._end] = torch.where(only_end, END_LOGIT, logits[:, self._end])

    def _banned(self, rows: Rows, width: int, active: torch.Tensor) -> torch.Tensor:
        """bool (rows, width): the tokens after which there is a match."""
        t = self._tables
        inside = active & (rows.need > 0)
        forbidden = self._continuations(rows, inside)
        # Any other token gives the character up, which reads as a separator.
        rows.flags = rows.flags & LOST
        self._walk.point(rows, torch.where(inside, BROKEN, NONE))
        counted = torch.zeros((len(active), t.ordered + 1), dtype=torch.int32, device=t.device)
        entry, variant = self._lists(rows)
        listed = (entry >= 0) & active[:, None]
        found = t.place[torch.where(listed, entry, 0).long(), variant].long()
        start, size = found[:, :, 0], torch.where(listed, found[:, :, 1], 0)
        for base in range(0, self._walk.most(size, t.most_spans), _AT_ONCE):
            i = base + torch.arange(_AT_ONCE, device=t.device)
            there = i < size[:, :, None]
            span = t.pool[torch.where(there, start[:, :, None] + i, 0)].long()
            one = there.int().flatten(1)
            counted.scatter_add_(1, torch.where(there, span[..., 0], 0).flatten(1), one)
            counted.scatter_add_(1, torch.where(there, span[..., 1], 0).flatten(1), -one)
        in_order = counted.cumsum(1)[:, : t.ordered] > 0
        banned = torch.zeros((len(active), max(width, t.tokens)), dtype=torch.bool, device=t.device)
        banned[:, t.order[: t.ordered].long()] = in_order
        if forbidden is not None:
            tokens = t.continuing.long()
            banned[:, tokens] = banned[:, tokens] | forbidden
        return banned[:, :width]

    def _lists(self, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        """For threads and roots: the row of `place` (-1 for none) and the variant."""
        t = self._tables
        width = self._walk.most(rows.count, rows.keys.shape[1])
        lanes = torch.arange(width, device=t.device)
        here = lanes < rows.count[:, None]
        keys = torch.where(here, rows.keys[:, :width], 0)
        threads = torch.where(here, t.entry[keys >> 3].long(), -1)
        rooted = rows.roots >= 0
        roots = torch.where(rooted, t.entry[rows.roots.clamp(min=0)].long(), -1)
        variants = torch.cat((keys & 7, rows.word_start[:, None].expand_as(roots)), 1)
        return torch.cat((threads, roots), 1), variants

    def _continuations(self, rows: Rows, inside: torch.Tensor) -> torch.Tensor | None:
        """bool (rows, continuing tokens): which of them complete a match inside a character."""
        tokens = self._tables.continuing
        n = len(tokens)
        if n == 0 or self._walk.most(inside.int(), 1) == 0:
            return None
        trial = rows.repeated(n)
        self._walk.take(trial, tokens.repeat(len(inside)).long(), inside.repeat_interleave(n))
        bad = (trial.flags & (MATCHED | WAITING | LOST)) != 0
        return bad.view(-1, n) & inside[:, None]

    def _soften(self, logits: torch.Tensor, config: torch.Tensor, active: torch.Tensor) -> None:
        """Subtract what the rows' penalties say."""
        store = self._store
        size = torch.where(active, config[:, SOFT_SIZE].long(), 0)
        for base in range(0, self._walk.most(size, store.most_soft), _AT_ONCE):
            i = base + torch.arange(_AT_ONCE, device=logits.device)
            there = i < size[:, None]
            at = torch.where(there, config[:, SOFT_START, None].long() + i, 0)
            token = store.soft_tokens[at].long()
            there = there & (token < logits.shape[1])
            minus = torch.where(there, -store.soft_penalties[at], 0.0)
            logits.scatter_add_(1, torch.where(there, token, 0), minus)
