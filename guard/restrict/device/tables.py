"""What the device side reads and no step writes: vocabulary, folding, tries, completing tokens.

All memory is reserved when the engine starts. A trie comes and goes in parts of these arrays that
no running row reads, copied by a background thread on a stream of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from guard.errors import EngineError
from guard.restrict.completion_table import NOTHING, VARIANTS, CompletionTable
from guard.restrict.device.layout import MAX_READINGS
from guard.restrict.folding import ALTERNATIVES, fold_tables
from guard.restrict.forest import Forest
from guard.restrict.segments import Segments
from guard.restrict.vocabulary import Vocabulary

_PAGE = 256  # labels; the sorted edge keys of unused places stay above those before them


class DeviceTables:
    """Tensors on one device.

    `first` int32 (nodes + 1,), `labels`, `accept` uint8 and `entry` int32 (nodes,): the forest, and
    the row of `place` (int32 (rows, variants, 2)) that lists what completes a phrase at a node, as
    parts of `pool` (int32 (spans, 2), intervals of `order`). `edges` int64 (nodes,): node * 256 +
    label, sorted, for searches by tensor operations; None unless asked for. `continuing` int32:
    the tokens that begin in the middle of a character.

    Raises EngineError when the folding tables are not what this code was made for.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        forest: Forest,
        device: torch.device,
        *,
        rows: int,
        spans: int,
        searched: bool,
    ) -> None:
        tables = fold_tables()
        alternatives = (tables.code & 7) == ALTERNATIVES
        if int(((tables.code[alternatives] >> 4) & 63).max(initial=0)) > MAX_READINGS:
            raise EngineError("a character has more readings than the device side has room for")
        self.device = device
        self.longest = vocabulary.longest
        self.longest_symbol = _longest_symbol(tables.code, tables.alternatives)
        self.tokens = vocabulary.tokens
        self.text = self._put(np.append(vocabulary.text, np.uint8(0)))
        self.starts = self._put(vocabulary.starts.astype(np.int32))
        self.special = self._put(vocabulary.special.astype(np.uint8))
        self.order = self._put(np.append(vocabulary.order, np.int32(0)))
        self.ordered = len(vocabulary.order)
        self.continuing = self._put(_continuing(vocabulary))
        self.code = self._put(tables.code.astype(np.int32))
        self.symbols = self._put(np.append(tables.symbols, np.uint8(0)))
        self.alternatives = self._put(tables.alternatives.astype(np.int32))
        self._forest = forest
        nodes = forest.nodes
        self.first = torch.zeros(nodes + 1, dtype=torch.int32, device=device)
        self.labels = torch.zeros(nodes, dtype=torch.uint8, device=device)
        self.accept = torch.zeros(nodes, dtype=torch.uint8, device=device)
        self.entry = torch.full((nodes,), NOTHING, dtype=torch.int32, device=device)
        self.place = torch.zeros((rows, VARIANTS, 2), dtype=torch.int32, device=device)
        self.pool = torch.zeros((spans, 2), dtype=torch.int32, device=device)
        self.edges: torch.Tensor | None = None
        if searched:
            self.edges = torch.arange(nodes, dtype=torch.int64, device=device) * _PAGE + _PAGE - 1
        self.most_spans = 0  # of one entry that has ever been here
        self._rows = Segments(rows, "shapes")
        self._spans = Segments(spans, "intervals")
        self._held: dict[int, tuple[int, int]] = {}
        self._copier = _Copier(device)

    def plant(self, root: int, end: int, table: CompletionTable) -> None:
        """Bring the trie at [root, end) of the forest, and its table; returns when it is here.

        Raises EngineError when there is no room.
        """
        forest = self._forest
        row = self._rows.take(len(table.place))
        try:
            span = self._spans.take(len(table.pool))
        except EngineError:
            self._rows.give_back(row)
            raise
        self._held[root] = (row, span)
        sizes = table.place[:, :, 1]
        self.most_spans = max(self.most_spans, int(sizes.max(initial=0)))
        place = table.place.copy()
        place[:, :, 0] += span
        entry = np.where(table.entry == NOTHING, NOTHING, table.entry + row).astype(np.int32)
        parts: list[tuple[torch.Tensor, NDArray[Any]]] = [
            (self.pool[span : span + len(table.pool)], table.pool),
            (self.place[row : row + len(place)], place),
            (self.first[root : end + 1], forest.first[root : end + 1]),
            (self.labels[root : end - 1], forest.labels[root : end - 1]),
            (self.accept[root:end], forest.accept[root:end]),
            (self.entry[root:end], entry),
        ]
        if self.edges is not None:
            degrees = np.diff(forest.first[root : end + 1].astype(np.int64))
            owner = np.repeat(np.arange(root, end, dtype=np.int64), degrees)
            keys = np.arange(root, end + 1, dtype=np.int64) * _PAGE + _PAGE - 1
            keys[: len(owner)] = owner * _PAGE + forest.labels[root : root + len(owner)]
            parts.append((self.edges[root : end + 1], keys[: len(self.edges[root : end + 1])]))
        self._copier(parts)

    def fell(self, root: int) -> None:
        """Give back what the trie at `root` has taken here."""
        row, span = self._held.pop(root)
        self._rows.give_back(row)
        self._spans.give_back(span)

    @property
    def nbytes(self) -> int:
        """Bytes of device memory."""
        return sum(
            value.element_size() * value.numel()
            for value in vars(self).values()
            if isinstance(value, torch.Tensor)
        )

    def _put(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def _continuing(vocabulary: Vocabulary) -> NDArray[np.int32]:
    lengths = np.diff(vocabulary.starts)
    spelled = np.flatnonzero(lengths > 0)
    begins = vocabulary.text[vocabulary.starts[spelled]]
    tokens: NDArray[np.int32] = spelled[begins & 0xC0 == 0x80].astype(np.int32)
    return tokens


def _longest_symbol(code: NDArray[np.uint32], alternatives: NDArray[np.uint32]) -> int:
    faithful = code[(code & 7) != ALTERNATIVES]
    return int(max(((faithful >> 4) & 63).max(), ((alternatives >> 4) & 63).max(initial=0)))


class _Copier:
    """Copies host arrays into parts of device tensors; returns when they are there."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._copy: Callable[[list[tuple[torch.Tensor, NDArray[Any]]]], None] = self._plainly
        if device.type == "cuda":
            self._main = torch.cuda.current_stream(device)
            self._stream = torch.cuda.Stream(device)
            self._copy = self._beside

    def __call__(self, parts: list[tuple[torch.Tensor, NDArray[Any]]]) -> None:
        self._copy(parts)

    def _plainly(self, parts: list[tuple[torch.Tensor, NDArray[Any]]]) -> None:
        for target, source in parts:
            target.copy_(torch.from_numpy(np.ascontiguousarray(source)))

    def _beside(self, parts: list[tuple[torch.Tensor, NDArray[Any]]]) -> None:
        # What is overwritten may have been read by a step that is still under way.
        self._stream.wait_stream(self._main)
        held = []
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            for target, source in parts:
                pinned = torch.from_numpy(np.ascontiguousarray(source)).pin_memory()
                held.append(pinned)
                target.copy_(pinned, non_blocking=True)
            done = torch.cuda.Event()
            done.record(self._stream)
        done.synchronize()
