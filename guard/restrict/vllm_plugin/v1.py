"""The plugin under vLLM's V1 model runner: rows follow the batch, bans are set on its logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from vllm.v1.sample.logits_processor.interface import BatchUpdate, MoveDirectionality

from guard.restrict.batch_step import Seats
from guard.restrict.completions import Completions
from guard.restrict.planter import Planter
from guard.restrict.token_guard import TokenGuard
from guard.restrict.vllm_plugin.engine import Engine

LEAD_TOKENS = 64  # of the prompt that are read where it leads into the answer


@dataclass(slots=True)
class _Row:
    """One guarded request. `output` is the runner's own list, which it appends to; `place` is the
    request's row in the token guard, which never moves."""

    place: int
    roots: tuple[int, ...] | None
    soft: Any
    lead: Sequence[int]
    output: list[int]


class V1Guard:
    """Batch updates in, logits changed in place. Rows without our arguments cost a look-up."""

    def __init__(self, engine: Engine, rows: int) -> None:
        self._engine = engine
        completions = Completions(engine.forest.nodes)
        engine.backend = Planter(engine.vocabulary, engine.forest, completions, cache=engine.cache)
        self._guard = TokenGuard(
            engine.vocabulary,
            end=engine.end,
            rows=rows,
            forest=engine.forest,
            completions=completions,
        )
        self._free = list(range(rows))[::-1]
        self._rows: dict[int, _Row] = {}  # by place in the batch
        self._seats = Seats([], [], [])  # the same, as compiled code reads it
        self._penalised: list[int] = []  # places in the batch that have soft penalties
        # Of this step, once its texts were followed: rows that may not take something, and how
        # long all texts were then.
        self._acting: int | None = None
        self._length = 0

    # --- the batch ---------------------------------------------------------------------------

    def update(self, update: BatchUpdate | None) -> None:
        """Follow removals, additions and moves, in that order; then find what each row may not
        take. vLLM calls this before a step's forward pass, when the last tokens are known (unless
        it schedules ahead) and in the caches, out of which the pass then pushes everything."""
        if update is not None:
            self._follow_batch(update)
            self._seat()
        if self._rows:
            self._length = sum(map(len, self._seats.texts))
            self._acting = self._guard.follow(self._seats)

    def _follow_batch(self, update: BatchUpdate) -> None:
        for index in update.removed:
            self._remove(index)
        for index, params, prompt, output in update.added:
            self._remove(index)
            self._add(index, params, prompt, output)
        for one, other, how in update.moved:
            moved, displaced = self._rows.pop(one, None), self._rows.pop(other, None)
            if moved is not None:
                self._rows[other] = moved
            if displaced is not None and how == MoveDirectionality.SWAP:
                self._rows[one] = displaced
            elif displaced is not None:
                self._give_back(displaced)

    def _add(self, index: int, params: Any, prompt: list[int] | None, output: list[int]) -> None:
        said = self._engine.arguments(params)
        if said is None:
            return
        roots = self._engine.hold(said.sets)
        lead = (prompt or [])[-LEAD_TOKENS:] if said.lead else []
        row = _Row(self._free.pop(), roots, self._engine.soft(said.soft), lead, output)
        self._begin(row)
        self._rows[index] = row

    def _begin(self, row: _Row) -> None:
        self._guard.begin(row.place, row.roots or (), row.lead)
        if row.roots is None:
            self._guard.lose(row.place)

    def _remove(self, index: int) -> None:
        row = self._rows.pop(index, None)
        if row is not None:
            self._give_back(row)

    def _give_back(self, row: _Row) -> None:
        self._free.append(row.place)
        if row.roots:
            self._engine.release(row.roots)

    # --- the step ----------------------------------------------------------------------------

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Forbid in place; logits (batch, vocabulary) float32 on any device."""
        if not self._rows:
            return logits
        if self._penalised:
            self._penalise(logits, self._penalised)
        acting = self._acting
        self._acting = None  # it holds for one step
        # No runner that is known appends between the two; one that did must not go unseen.
        if acting is None or sum(map(len, self._seats.texts)) != self._length:
            acting = self._guard.follow(self._seats)
        if acting is None:
            self._read_and_restrict(logits)
        elif acting > 0:
            self._ban(logits)
        return logits

    def _seat(self) -> None:
        rows = self._rows.values()
        self._penalised = [index for index, row in self._rows.items() if row.soft is not None]
        self._seats = Seats(
            list(self._rows), [row.place for row in rows], [row.output for row in rows]
        )

    def _ban(self, logits: torch.Tensor) -> None:
        """Forbid what was found when the texts were followed."""
        stride, unit = logits.stride()
        if logits.dtype is torch.float32 and unit == 1 and logits.is_cpu:
            self._guard.ban(self._seats, logits.data_ptr(), stride, logits.shape[1])
        else:
            self._ban_elsewhere(logits, self._seats.lines, *self._guard.followed(self._seats))

    def _read_and_restrict(self, logits: torch.Tensor) -> None:
        """The same where some text has more than one new token, or one that is not known yet."""
        places, waiting = self._read_on()
        lines = [index for index in self._rows if index not in waiting]
        rows = [places[index] for index in lines]
        if logits.device.type == "cpu" and logits.dtype == torch.float32:
            self._guard.restrict(logits.numpy(), lines, rows)
        else:
            self._ban_elsewhere(logits, lines, *self._guard.spans(rows))
        for index in waiting:
            _only_end(logits, index, self._engine.end)

    def _read_on(self) -> tuple[dict[int, int], set[int]]:
        """Take every row's new tokens. Returns the rows' places, and the batch places whose last
        tokens are not known yet: until they are, such a row may do nothing but end."""
        rows: list[int] = []
        tokens: list[int] = []
        waiting: set[int] = set()
        for index, row in self._rows.items():
            if len(row.output) < self._guard.taken(row.place):  # the runner took tokens back
                self._begin(row)
            new = row.output[self._guard.taken(row.place) :]
            if -1 in new:
                waiting.add(index)
                continue
            rows += [row.place] * len(new)
            tokens += new
        self._guard.take(rows, tokens)
        return {index: row.place for index, row in self._rows.items()}, waiting

    def _penalise(self, logits: torch.Tensor, lines: Sequence[int]) -> None:
        for index in lines:
            ids, values = (torch.from_numpy(p).to(logits.device) for p in self._rows[index].soft)
            logits[index, ids] -= values

    def _ban_elsewhere(
        self, logits: torch.Tensor, lines: Sequence[int], spans: Any, counts: Any
    ) -> None:
        """In torch, on any device: positions are found here, set there, and nobody waits."""
        line_of, tokens = _positions(spans, counts, lines, self._engine.vocabulary.order)
        kept = tokens < logits.shape[1]
        where = [torch.from_numpy(part[kept]) for part in (line_of, tokens)]
        line_at, token_at = (part.to(logits.device, non_blocking=True) for part in where)
        logits[line_at, token_at] = -torch.inf
        for index, count in zip(lines, counts.tolist(), strict=True):
            if count < 0:
                _only_end(logits, index, self._engine.end)
        guarded = torch.tensor(list(lines), device=logits.device)
        nothing = torch.isneginf(logits[guarded]).all(dim=1)
        ends = logits[guarded, self._engine.end]
        logits[guarded, self._engine.end] = torch.where(nothing, torch.zeros_like(ends), ends)


def _only_end(logits: torch.Tensor, index: int, end: int) -> None:
    logits[index] = -torch.inf
    logits[index, end] = 0.0


def _positions(
    spans: Any, counts: Any, lines: Sequence[int], order: Any
) -> tuple[Any, Any]:  # fmt: skip
    """Intervals as flat (line, token) pairs: int64 (n,), int64 (n,)."""
    sizes = np.maximum(counts, 0)
    used = spans[: int(sizes.sum())].astype(np.int64)
    lengths = used[:, 1] - used[:, 0]
    line_of_span = np.repeat(np.array(lines, dtype=np.int64), sizes)
    total = int(lengths.sum())
    firsts = np.repeat(used[:, 0] - (np.cumsum(lengths) - lengths), lengths)
    places = firsts + np.arange(total, dtype=np.int64)
    return np.repeat(line_of_span, lengths), order[places].astype(np.int64)
