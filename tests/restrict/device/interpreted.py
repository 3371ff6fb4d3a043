"""Runs the Triton kernels under Triton's interpreter, in a process of its own with
TRITON_INTERPRET=1 that `test_triton.py` starts. Fails where a row is not what the host's walk says.
"""

from __future__ import annotations

import random

import numpy as np
import torch

from guard.restrict.device.triton_step import TritonStep
from tests.restrict.test_token_guard import token
from tests.restrict.vllm_plugin.running import END, Runner, asked
from tests.restrict.vllm_plugin.test_v2 import likely, runner, tokens


def interpreted(**settings: int) -> Runner:
    made = runner(**settings)
    made.guard._step = TritonStep(made.guard._step._tables, made.guard._store, end=END)
    return made


def drafted_and_reused() -> None:
    random_ = random.Random(5)
    made = interpreted(drafts=2)
    made.admit(0, asked("two"), output=tokens(" the", " John"))
    made.admit(1, asked())
    made.admit(2, None)
    for _ in range(4):
        batch = [(slot, [likely(random_) for _ in range(slot)]) for slot in (1, 2, 0)]
        made.check(batch)
        for slot, drafts in batch:
            made.commit(slot, [*drafts[:1], likely(random_)])
    made.admit(0, asked("gone"))
    made.admit(1, asked(), prompt=tokens("x"))
    made.check([(0, ()), (1, tokens(" John")), (2, ())])


def inside_characters_and_apart() -> None:
    made = interpreted()
    made.admit(0, asked())
    apart = tokens(" Ana", "1", "-", "M", "u\u0308l", "ab", "John", "X")
    for one in [*tokens("習"), 1 + 0xE8, 1 + 0xBF, *apart, 1 + 0xE7, -1]:
        made.commit(0, [one])
        made.check([(0, ())])


def penalties_and_nothing_left() -> None:
    made = interpreted()
    made.engine.soft_sets["near"] = (
        np.array([token(" lamp")], dtype=np.int32),
        np.array([1.5], dtype=np.float32),
    )
    made.admit(0, asked(soft=("near",)))
    made.admit(1, asked())
    logits = torch.zeros((2, made.vocabulary.tokens))
    logits[1] = -torch.inf
    logits[1, token("ab")] = 3.0
    logits = made.logits([(0, ()), (1, ())], logits)
    assert logits[0, token(" lamp")] == -1.5
    assert torch.nonzero(torch.isfinite(logits[1])).flatten().tolist() == [END]


if __name__ == "__main__":
    drafted_and_reused()
    inside_characters_and_apart()
    penalties_and_nothing_left()
