"""The walk of `token_walk.py` in tensor operations, for all rows and threads at once.

No operation waits for the device: loops run to bounds that the host knows. On the CPU, where a
tensor's content costs nothing to look at, they stop as soon as nothing is left to do.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from guard.restrict.device.layout import (
    COUNT,
    FLAGS,
    KEYS,
    MAX_READINGS,
    NEED,
    PLACE_WIDTH,
    VALUE,
    WORD_START,
)
from guard.restrict.device.tables import DeviceTables
from guard.restrict.folding import ALTERNATIVES, IGNORED, LETTER, SPACE, UPPER_BIT, WORD
from guard.restrict.threads import HARD_BOUNDARY, SOFT_BOUNDARY
from guard.restrict.token_walk import LOST, MATCHED, MAX_ROOTS, MAX_THREADS, WAITING
from guard.restrict.trie import BOUNDED, UNBOUNDED
from guard.restrict.utf8 import BROKEN, NONE
from guard.restrict.word_start import AFTER_LOWER, AT_WORD, INSIDE, NINE

_NO_KEY = 1 << 40  # sorts after every key


@dataclass
class Rows:
    """Places in the course of a walk, int64: `count`, `word_start`, `need`, `value`, `flags`
    (rows,); `keys` (rows, MAX_THREADS), sorted, _NO_KEY where there is none; `roots` (rows,
    MAX_ROOTS), -1 where there is none."""

    count: torch.Tensor
    word_start: torch.Tensor
    need: torch.Tensor
    value: torch.Tensor
    flags: torch.Tensor
    keys: torch.Tensor
    roots: torch.Tensor

    @classmethod
    def read(cls, places: torch.Tensor, roots: torch.Tensor, root_count: torch.Tensor) -> Rows:
        """From int32 places (rows, PLACE_WIDTH), roots (rows, MAX_ROOTS) and their number."""
        wide = places.long()
        lanes = torch.arange(MAX_THREADS, device=places.device)
        which = torch.arange(MAX_ROOTS, device=places.device)
        return cls(
            count=wide[:, COUNT],
            word_start=wide[:, WORD_START],
            need=wide[:, NEED],
            value=wide[:, VALUE],
            flags=wide[:, FLAGS],
            keys=torch.where(lanes < wide[:, COUNT, None], wide[:, KEYS:], _NO_KEY),
            roots=torch.where(which < root_count[:, None], roots.long(), -1),
        )

    def write(self, places: torch.Tensor) -> torch.Tensor:
        """As int32 places (rows, PLACE_WIDTH); what no walk changes is taken from `places`."""
        written = places.clone()
        for column, value in (
            (COUNT, self.count),
            (WORD_START, self.word_start),
            (NEED, self.need),
            (VALUE, self.value),
            (FLAGS, self.flags),
        ):
            written[:, column] = value.int()
        written[:, KEYS:PLACE_WIDTH] = torch.where(self.keys == _NO_KEY, 0, self.keys).int()
        return written

    def repeated(self, times: int) -> Rows:
        """Each row `times` times, one after another."""
        return Rows(
            **{name: value.repeat_interleave(times, 0) for name, value in vars(self).items()}
        )


class TorchWalk:
    """Walks rows over the tables. `shortcuts`: look at tensors to stop early (the CPU only)."""

    def __init__(self, tables: DeviceTables, *, shortcuts: bool) -> None:
        if tables.edges is None:
            raise ValueError("tables without `edges` cannot be searched by tensor operations")
        self._tables = tables
        self._edges = tables.edges
        self._shortcuts = shortcuts

    def most(self, values: torch.Tensor, bound: int) -> int:
        """The largest of some values: looked at where that is free, else what the host knows."""
        if self._shortcuts:
            return min(bound, int(values.max())) if values.numel() else 0
        return bound

    def take(self, rows: Rows, tokens: torch.Tensor, doing: torch.Tensor) -> None:
        """Advance the rows that are `doing` by a token each, in place. `flags` tell what came."""
        t = self._tables
        known = (tokens >= 0) & (tokens < t.tokens)
        rows.flags = torch.where(doing & ~known, rows.flags | LOST, rows.flags)
        at = torch.where(known, tokens, 0).long()
        special = doing & known & (t.special[at] != 0)
        rows.word_start = torch.where(special, AT_WORD, rows.word_start)
        begin = t.starts[at].long()
        size = torch.where(doing & known & ~special, t.starts[at + 1].long() - begin, 0)
        points = self._points(rows, begin, size)
        for i in range(self.most((points >= 0).sum(1), points.shape[1])):
            self.point(rows, points[:, i])

    def _points(self, rows: Rows, begin: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
        """Decode tokens: the code points that they complete, in order, then NONE."""
        found: list[torch.Tensor] = []
        longest = self.most(size, self._tables.longest)
        for i in range(longest):
            here = i < size
            byte = self._tables.text[torch.where(here, begin + i, 0)].long()
            need, value, broken, point = decode(rows.need, rows.value, byte)
            rows.need = torch.where(here, need, rows.need)
            rows.value = torch.where(here, value, rows.value)
            found += [torch.where(here, broken, NONE), torch.where(here, point, NONE)]
        if not found:
            return torch.zeros((len(begin), 0), dtype=torch.int64, device=begin.device)
        stacked = torch.stack(found, 1)
        order = (stacked < 0).to(torch.int8).sort(dim=1, stable=True).indices
        # Where a sequence is given up, the bytes before completed nothing: one point more at most.
        return stacked.gather(1, order)[:, : longest + 1]

    def point(self, rows: Rows, points: torch.Tensor) -> None:
        """One code point for each row, in place; NONE for a row that has none."""
        live = points >= 0
        entry = self._tables.code[torch.where(live, points, 0)].long()
        forked = (entry & 7) == ALTERNATIVES
        offset = torch.where(forked, entry >> 10, 0)
        faithful = torch.where(forked, self._tables.alternatives[offset].long(), entry)
        kind = faithful & 7
        begins = (rows.word_start & (AT_WORD | ((entry & UPPER_BIT) >> 2))) != 0
        which = torch.arange(MAX_READINGS, device=points.device)
        last = len(self._tables.alternatives) - 1
        other = self._tables.alternatives[(offset[:, None] + which).clamp(max=last)].long()
        readings = torch.where(forked[:, None], other, entry[:, None])
        number = torch.where(forked, (entry >> 4) & 63, 1)
        begun = (rows.count > 0) | begins | (kind == WORD)
        valid = (which < number[:, None]) & (live & begun)[:, None]
        made, came = self._ways_on(rows, readings, begins, valid)
        keys, count = _distinct(made)
        full = live & (count > MAX_THREADS)
        waiting = (rows.flags & WAITING) != 0
        flags = (rows.flags & (MATCHED | LOST)) | came
        flags = flags | torch.where(waiting & (kind == IGNORED), WAITING, 0)
        ended = (kind != IGNORED) & ((kind != LETTER) | begins)
        flags = flags | torch.where(waiting & ended, MATCHED, 0)
        lower = ((entry & UPPER_BIT) == 0) & ((faithful >> 10) > NINE)
        word_start = torch.where(lower, AFTER_LOWER, INSIDE)
        word_start = torch.where(kind == LETTER, word_start, AT_WORD)
        word_start = torch.where(kind == IGNORED, rows.word_start, word_start)
        rows.flags = torch.where(live, torch.where(full, flags | LOST, flags), rows.flags)
        rows.word_start = torch.where(live & ~full, word_start, rows.word_start)
        rows.count = torch.where(live, torch.where(full, 0, count), rows.count)
        rows.keys = torch.where(live[:, None], torch.where(full[:, None], _NO_KEY, keys), rows.keys)

    def _ways_on(
        self, rows: Rows, readings: torch.Tensor, new_word: torch.Tensor, valid: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """All keys that a point makes, (rows, n) with _NO_KEY between them, and what came of it."""
        width = self.most(rows.count, MAX_THREADS)
        keys = rows.keys[:, None, :width]
        there = (keys != _NO_KEY) & valid[:, :, None]
        keys = torch.where(keys == _NO_KEY, 0, keys)
        node, separator, single = keys >> 3, (keys >> 1) & 3, keys & 1
        kind = readings & 7
        is_word = (kind == WORD)[:, :, None]
        is_letter = is_word | (kind == LETTER)[:, :, None]
        apart = torch.where(is_word & (separator == 0), 1, separator)
        soft = self._child(node, torch.full_like(node, SOFT_BOUNDARY))
        hard = self._child(node, torch.full_like(node, HARD_BOUNDARY))
        goes = there & is_letter
        starting = (new_word[:, None, None] | is_word) & valid[:, :, None] & is_letter
        roots = rows.roots[:, None, :]
        n = readings.shape[1]
        begins = torch.cat(
            (
                torch.where(goes & ((apart != 2) | (single == 1)), node, -1),
                torch.where(goes, soft, -1),
                torch.where(goes & (apart != 0), hard, -1),
                torch.where(starting, roots, -1).expand(-1, n, -1),
            ),
            2,
        )
        alone = torch.cat(
            (
                (apart != 0).long().expand(-1, n, -1),
                torch.ones_like(apart).expand(-1, n, -1),
                torch.ones_like(apart).expand(-1, n, -1),
                torch.ones_like(roots).expand(-1, n, -1),
            ),
            2,
        )
        after = is_word.long()
        reached = self._advance(begins, readings[:, :, None])
        arrived, came = self._arrive(reached, after, alone)
        kept = self._separate(keys, there & ~is_letter, kind[:, :, None])
        made = torch.cat((arrived.flatten(1), kept.flatten(1)), 1)
        return made, came

    def _arrive(
        self, reached: torch.Tensor, after: torch.Tensor, alone: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        there = reached >= 0
        node = torch.where(there, reached, 0)
        accept = torch.where(there, self._tables.accept[node].long(), 0)
        matched = ((accept & UNBOUNDED) != 0) | (((accept & BOUNDED) != 0) & (after > 0))
        waiting = ((accept & BOUNDED) != 0) & ~matched
        came = torch.where(matched.flatten(1).any(1), MATCHED, 0)
        came = came | torch.where(waiting.flatten(1).any(1), WAITING, 0)
        inner = self._tables.first[node] != self._tables.first[node + 1]
        keys = (node << 3) | (after << 1) | alone
        return torch.where(there & inner, keys, _NO_KEY), came

    def _separate(
        self, keys: torch.Tensor, there: torch.Tensor, kind: torch.Tensor
    ) -> torch.Tensor:
        node, separator, single = keys >> 3, (keys >> 1) & 3, keys & 1
        apart = torch.maximum(separator, torch.where(kind == SPACE, 2, 1))
        low = self._tables.first[node].long()
        more = low < self._tables.first[node + 1]
        edge = torch.where(more, low, 0)
        bounded = more & (self._tables.labels[edge] <= SOFT_BOUNDARY)
        dropped = (apart == 2) & (single == 0) & ~bounded
        moved = torch.where(dropped, _NO_KEY, (node << 3) | (apart << 1) | single)
        return torch.where(there, torch.where(kind == IGNORED, keys, moved), _NO_KEY)

    def _child(self, node: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """The nodes behind labelled edges; -1 where there is none."""
        wanted = (node << 8) | label
        at = torch.searchsorted(self._edges, wanted.contiguous())
        at = at.clamp(max=len(self._edges) - 1)
        # A free place looks like an edge labelled 255, which no byte of UTF-8 is.
        return torch.where((node >= 0) & (self._edges[at] == wanted), at + 1, -1)

    def _advance(self, nodes: torch.Tensor, readings: torch.Tensor) -> torch.Tensor:
        length = (readings >> 4) & 63
        offset = readings >> 10
        going = torch.where((nodes >= 0).any(2, keepdim=True), length, 0)
        for i in range(self.most(going, self._tables.longest_symbol)):
            more = i < length
            label = self._tables.symbols[torch.where(more, offset + i, 0)].long()
            nodes = torch.where(more, self._child(nodes, label.expand_as(nodes)), nodes)
        return nodes


def _distinct(keys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The different keys of each row, sorted, MAX_THREADS wide, and how many there are."""
    ordered = keys.sort(1).values
    again = torch.zeros_like(ordered, dtype=torch.bool)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    ordered = torch.where(again, _NO_KEY, ordered).sort(1).values
    count = (ordered != _NO_KEY).sum(1)
    missing = MAX_THREADS - ordered.shape[1]
    if missing > 0:
        ordered = torch.nn.functional.pad(ordered, (0, missing), value=_NO_KEY)
    return ordered[:, :MAX_THREADS], count


def decode(
    need: torch.Tensor, value: torch.Tensor, byte: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """`utf8.decode` for one byte of each row: (need, value, broken, point)."""
    missing = need & 7
    goes_on = (missing > 0) & ((byte & 0xC0) == 0x80)
    longer = (value << 6) | (byte & 0x3F)
    length = need >> 3
    lowest = torch.where(length == 2, 0x80, torch.where(length == 3, 0x800, 0x10000))
    bad = (longer < lowest) | (longer > 0x10FFFF) | ((longer >= 0xD800) & (longer < 0xE000))
    ended = torch.where(bad, BROKEN, longer)
    two, three = (byte >= 0xC2) & (byte < 0xE0), (byte >= 0xE0) & (byte < 0xF0)
    four = (byte >= 0xF0) & (byte < 0xF5)
    fresh_need = torch.where(two, 1 | (2 << 3), torch.where(three, 2 | (3 << 3), 0))
    fresh_need = torch.where(four, 3 | (4 << 3), fresh_need)
    fresh_value = torch.where(two, byte & 0x1F, torch.where(three, byte & 0x0F, 0))
    fresh_value = torch.where(four, byte & 0x07, fresh_value)
    fresh_point = torch.where(byte < 0x80, byte, torch.where(two | three | four, NONE, BROKEN))
    inside = goes_on & (missing > 1)
    broken = torch.where((missing > 0) & ~goes_on, BROKEN, NONE)
    return (
        torch.where(goes_on, torch.where(inside, need - 1, 0), fresh_need),
        torch.where(goes_on, torch.where(inside, longer, 0), fresh_value),
        broken,
        torch.where(goes_on, torch.where(inside, NONE, ended), fresh_point),
    )
