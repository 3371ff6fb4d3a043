"""A model runner's share of a step on CPU tensors: slots, committed tokens, batches, drafts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from vllm.v1.worker.gpu.sample.logits_processor.interface import (
    LogitsContext,
    LogitsProcRequestState,
)

from guard.restrict.forest import Forest
from guard.restrict.outlook import outlook
from guard.restrict.phrases import Phrase
from guard.restrict.token_guard import TokenGuard
from guard.restrict.trie import build_trie
from guard.restrict.vllm_plugin.arguments import Arguments
from guard.restrict.vllm_plugin.v2 import LEAD, V2Guard
from guard.restrict.vocabulary import Vocabulary

END = 0
LENGTH = 256  # tokens of the longest request


def asked(*sets: str, soft: tuple[str, ...] = (), lead: bool = False) -> Arguments:
    """A request's arguments; under the set of all phrases where no set is named."""
    return Arguments(sets or ("all",), soft, lead)


@dataclass
class FakeEngine:
    """Sets by name, held in a forest; counts who uses what."""

    vocabulary: Vocabulary
    forest: Forest
    sets: dict[str, tuple[int, ...]] = field(default_factory=dict)
    soft_sets: dict[str, Any] = field(default_factory=dict)
    released: list[tuple[int, ...]] = field(default_factory=list)
    end: int = END
    backend: Any = None

    def arguments(self, sampling_params: Any) -> Arguments | None:
        return sampling_params

    def hold(self, sets: Sequence[str] | None) -> tuple[int, ...] | None:
        if sets is None or any(name not in self.sets for name in sets):
            return None
        return tuple(root for name in sets for root in self.sets[name])

    def release(self, roots: Sequence[int]) -> None:
        self.released.append(tuple(roots))

    def soft(self, names: Sequence[str]) -> Any:
        return next((self.soft_sets[name] for name in names if name in self.soft_sets), None)

    def plant(self, name: str, *policies: Sequence[Phrase]) -> None:
        roots = []
        for phrases in policies:
            trie = build_trie([p.symbols for p in phrases], [p.flag for p in phrases])
            root = self.forest.plant(trie, outlook(trie))
            self.backend.planted(root, root + trie.nodes)
            roots.append(root)
        self.sets[name] = tuple(roots)


@dataclass
class Request:
    asked: Arguments | None
    prompt: list[int]
    output: list[int]


class Runner:
    """Drives a `V2Guard` as the V2 model runner does, and knows what it should answer."""

    def __init__(
        self, vocabulary: Vocabulary, *, slots: int = 4, drafts: int = 0, nodes: int = 4096
    ) -> None:
        self.vocabulary = vocabulary
        self.drafts = drafts
        self.slots: dict[int, Request] = {}
        self.history = np.zeros((slots, LENGTH), dtype=np.int32)
        self.total = np.zeros(slots, dtype=np.int32)
        self.prompt = np.zeros(slots, dtype=np.int32)
        self.prefill = np.zeros(slots, dtype=np.int32)
        state = LogitsProcRequestState(
            device=torch.device("cpu"),
            max_num_reqs=slots,
            vocab_size=vocabulary.tokens,
            all_token_ids=SimpleNamespace(gpu=torch.from_numpy(self.history)),
            prompt_len=SimpleNamespace(np=self.prompt, gpu=torch.from_numpy(self.prompt)),
            prefill_len=SimpleNamespace(np=self.prefill, gpu=torch.from_numpy(self.prefill)),
            total_len=SimpleNamespace(gpu=torch.from_numpy(self.total)),
        )
        speculative = SimpleNamespace(num_speculative_tokens=drafts) if drafts else None
        self.engine = FakeEngine(vocabulary, Forest(nodes))
        self.guard = V2Guard(SimpleNamespace(speculative_config=speculative), state, self.engine)
        self.reference = TokenGuard(vocabulary, end=END, rows=1, forest=self.engine.forest)

    def admit(
        self,
        slot: int,
        asked: Arguments | None,
        prompt: Sequence[int] = (5, 6),
        output: Sequence[int] = (),
    ) -> bool:
        """A request enters; with an output, it comes back after a preemption."""
        tokens = [*prompt, *output]
        self.slots[slot] = Request(asked, list(prompt), list(output))
        self.history[slot] = -7  # what an earlier occupant left is not to be read
        self.history[slot, : len(tokens)] = tokens
        self.prompt[slot], self.prefill[slot] = len(prompt), len(tokens)
        self.total[slot] = len(tokens)
        return self.guard.add_request(slot, asked)

    def logits(
        self, batch: Sequence[tuple[int, Sequence[int]]], logits: torch.Tensor | None = None
    ) -> torch.Tensor:
        """One call of `apply` for requests (slot, draft tokens)."""
        context = self.context(batch)
        rows = len(context.expanded_idx_mapping)
        if logits is None:
            logits = torch.zeros((rows, self.vocabulary.tokens))
        self.guard.apply_staged_writes()
        return self.guard.apply(logits, context)

    def context(self, batch: Sequence[tuple[int, Sequence[int]]]) -> LogitsContext:
        slots = np.array([slot for slot, _ in batch], dtype=np.int32)
        counts = [1 + len(drafts) for _, drafts in batch]
        fed = [
            token
            for slot, drafts in batch
            for token in (self.history[slot, max(0, self.total[slot] - 1)], *drafts)
        ]
        offsets = np.concatenate([np.arange(count) for count in counts]).astype(np.int32)
        expanded = np.repeat(slots, counts)
        return LogitsContext(
            expanded_idx_mapping=torch.from_numpy(expanded),
            idx_mapping=torch.from_numpy(slots),
            idx_mapping_np=slots,
            expanded_local_pos=torch.from_numpy(offsets),
            input_ids=torch.tensor(fed, dtype=torch.int32),
            pos=torch.from_numpy(self.total[expanded] - 1 + offsets),
            seq_lens_upper_bound_np=self.total[slots] + np.array(counts, dtype=np.int32) - 1,
        )

    def commit(self, slot: int, tokens: Sequence[int]) -> None:
        """What the runner does once tokens were sampled."""
        at = self.total[slot]
        self.history[slot, at : at + len(tokens)] = tokens
        self.total[slot] += len(tokens)
        self.slots[slot].output += tokens

    def expected(self, slot: int, drafts: Sequence[int] = ()) -> set[int] | None:
        """The tokens a row may not take, by the host's walk of its text; None: it may only end."""
        request = self.slots[slot]
        if request.asked is None:
            return set()
        roots = self.engine.hold(request.asked.sets)
        if roots is None:
            return None
        self.reference.begin(0, roots)
        lead = request.prompt[-LEAD:] if request.asked.lead else []
        tokens = [*lead, *request.output, *drafts]
        self.reference.take([0] * len(tokens), tokens)
        return None if self.reference.is_lost(0) else self.reference.forbidden(0)

    def check(self, batch: Sequence[tuple[int, Sequence[int]]]) -> None:
        """One call; every row must be what the host's walk says."""
        logits = self.logits(batch)
        row = 0
        for slot, drafts in batch:
            for taken in range(len(drafts) + 1):
                assert banned(logits[row]) == self.everything_but(
                    self.expected(slot, drafts[:taken])
                ), (slot, drafts[:taken])
                row += 1

    def everything_but(self, forbidden: set[int] | None) -> set[int]:
        if forbidden is None:
            return set(range(self.vocabulary.tokens)) - {END}
        return forbidden


def banned(row: torch.Tensor) -> set[int]:
    return set(torch.nonzero(torch.isneginf(row)).flatten().tolist())
