"""The plugin under vLLM's V2 model runner: rows are restricted on the device itself.

`apply` is a function of the committed tokens, of a row's draft tokens and of checkpoints that only
committed tokens move: called twice in a step, in chunks, after drafts were rejected, or for a slot
that changed hands, it says what a fresh walk of the text would say.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from guard.restrict.device.steps import Step
from guard.restrict.device.store import SlotStore, Soft
from guard.restrict.device.tables import DeviceTables
from guard.restrict.device.torch_step import TorchStep
from guard.restrict.forest import Forest
from guard.restrict.planter import Planter
from guard.restrict.vllm_plugin.arguments import Arguments
from guard.restrict.vocabulary import Vocabulary

LEAD = 64  # tokens of a prompt that are read before the output of a raw completion


class Engine(Protocol):
    """What this module needs of the engine."""

    backend: Any

    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def forest(self) -> Forest: ...
    @property
    def end(self) -> int: ...
    def arguments(self, sampling_params: Any) -> Arguments | None: ...
    def hold(self, sets: Sequence[str] | None) -> tuple[int, ...] | None: ...
    def release(self, roots: Sequence[int]) -> None: ...
    def soft(self, names: Sequence[str]) -> Soft | None: ...


class V2Guard:
    """The methods of vLLM's V2 `LogitsProcessor`, without its base. Nothing here raises on the
    state of policies: a request under a set that is not known may only end.

    `req_states`: vLLM's `LogitsProcRequestState`. `cache`: a directory for compiled tables.
    """

    def __init__(
        self, vllm_config: Any, req_states: Any, engine: Engine, *, cache: Path | None = None
    ) -> None:
        self._engine = engine
        self._requests = req_states
        device, slots = torch.device(req_states.device), int(req_states.max_num_reqs)
        fused = device.type == "cuda" and find_spec("triton") is not None
        nodes = engine.forest.nodes
        tables = DeviceTables(
            engine.vocabulary,
            engine.forest,
            device,
            rows=nodes // 8 + 4096,
            spans=nodes // 2 + (1 << 18),
            searched=not fused,
        )
        self._store = SlotStore(slots, device)
        self._step = _step(tables, self._store, engine.end, fused)
        self._drafts = _draft_tokens(vllm_config)
        self._active: NDArray[np.bool_] = np.zeros(slots, dtype=np.bool_)
        # The most tokens that a slot can have to read at its next step.
        self._unread: NDArray[np.int64] = np.zeros(slots, dtype=np.int64)
        self._roots: dict[int, tuple[int, ...]] = {}
        self.backend = Planter(engine.vocabulary, engine.forest, tables, cache=cache)
        engine.backend = self.backend
        self._warm_up()

    def _warm_up(self) -> None:
        """Let what is compiled on first use be compiled now, not under the first request."""
        device, requests = self._store.slots.device, self._requests
        nobody = torch.full((1,), -1, dtype=torch.int32, device=device)
        offset = torch.zeros(1, dtype=torch.int32, device=device)
        logits = torch.zeros((1, requests.vocab_size), device=device)
        total = requests.total_len.gpu
        self._step.advance(nobody, requests.all_token_ids.gpu, total, 1)
        for kind in (torch.int32, torch.int64):  # with and without speculation
            self._step.restrict(logits, nobody, offset, offset.to(kind), total, 0)

    def add_request(self, req_idx: int, sampling_params: Any) -> bool:
        """A request enters a slot: whether it is any of our business."""
        asked = self._engine.arguments(sampling_params)
        before = self._roots.pop(req_idx, None)
        if asked is None:
            if self._active[req_idx]:
                self._store.clear(req_idx)
            self._active[req_idx] = False
        else:
            self._begin(req_idx, asked)
        if before is not None:
            self._engine.release(before)
        return asked is not None

    def _begin(self, slot: int, asked: Arguments) -> None:
        roots = self._engine.hold(asked.sets)
        if roots is not None:
            self._roots[slot] = roots
        soft = self._engine.soft(asked.soft)
        named = ("\n".join(asked.soft), soft) if soft is not None else None
        # What was generated before a preemption comes back as part of the prefill.
        prompt = int(self._requests.prompt_len.np[slot])
        begin = max(0, prompt - LEAD) if asked.lead else prompt
        self._store.stage(slot, roots, begin, named)
        self._active[slot] = True
        prefill = int(self._requests.prefill_len.np[slot])
        self._unread[slot] = prefill - begin + self._drafts + 1

    def apply_staged_writes(self) -> None:
        """Bring new requests to the device, in stream order."""
        self._store.flush()

    def apply(self, logits: torch.Tensor, ctx: Any) -> torch.Tensor:
        """Restrict the rows of one call in place; `ctx`: vLLM's `LogitsContext`."""
        slots = ctx.idx_mapping_np
        if not self._active[slots].any():
            return logits
        history, total = self._requests.all_token_ids.gpu, self._requests.total_len.gpu
        self._step.advance(ctx.idx_mapping, history, total, int(self._unread[slots].max()))
        # Every step a slot takes part in comes by here, and commits its drafts and one at most.
        self._unread[slots] = self._drafts + 1
        self._step.restrict(
            logits, ctx.expanded_idx_mapping, ctx.expanded_local_pos, ctx.input_ids, total,
            self._drafts,
        )  # fmt: skip
        return logits


def _step(tables: DeviceTables, store: SlotStore, end: int, fused: bool) -> Step:
    if not fused:
        return TorchStep(tables, store, end=end)
    from guard.restrict.device.triton_step import TritonStep

    return TritonStep(tables, store, end=end)


def _draft_tokens(vllm_config: Any) -> int:
    speculative = getattr(vllm_config, "speculative_config", None)
    return int(speculative.num_speculative_tokens) if speculative is not None else 0
