"""What the plugin adds to a step behind a model's pass, without vLLM: its memory is cold then.

In the order of a running engine: the pass streams through the weights, logits are made, `apply`;
tokens are sampled and written down, some other Python runs, `update_state`.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np

from bench.forbidden import forbidden
from bench.restrict_steps import BATCHES, Model, held
from guard.restrict.vllm_plugin.arguments import as_xargs

PHRASES = 100_000
_WEIGHTS = 150_000_000  # of four bytes each: about what Gemma 3 270M reads in a step
_STEPS, _WARM = 100, 5


def cold_steps(model: Model) -> list[dict[str, Any]]:
    """Microseconds a step, cold, for each batch size: of `apply`, of `update_state`, of both."""
    import torch

    weights = torch.ones(_WEIGHTS)
    with TemporaryDirectory() as folder:
        _, guard, sets = held(model, forbidden(PHRASES), Path(folder))
        rows = []
        for batch in BATCHES:
            costs = _steps(model, guard, sets, batch, weights)
            p50, both = np.median(costs, axis=0), costs.sum(axis=1)
            rows.append(
                {
                    "model": model.name,
                    "phrases": PHRASES,
                    "batch": batch,
                    "step_us_p50": round(float(np.median(both)), 1),
                    "step_us_p25": round(float(np.percentile(both, 25)), 1),
                    "apply_us_p50": round(float(p50[0]), 1),
                    "update_us_p50": round(float(p50[1]), 1),
                }
            )
        return rows


def _steps(model: Model, guard: Any, sets: list[str], batch: int, weights: Any) -> Any:
    import torch
    from vllm.v1.sample.logits_processor.interface import BatchUpdate

    params = SimpleNamespace(extra_args=as_xargs(sets, lead=False))
    outputs: list[list[int]] = [[] for _ in range(batch)]
    added = [(row, params, [], outputs[row]) for row in range(batch)]
    guard.update(BatchUpdate(batch, [], added, []))
    stride = len(model.tokens) // batch
    costs = []
    for step in range(_STEPS + _WARM):
        weights.sum()
        logits = torch.ones((batch, model.vocabulary.tokens))
        began = time.perf_counter()
        guard.apply(logits)
        applied = time.perf_counter() - began
        logits.argmax(dim=-1).tolist()
        for row, output in enumerate(outputs):
            output.append(model.tokens[(row * stride + step) % len(model.tokens)])
        json.loads(json.dumps(outputs))
        began = time.perf_counter()
        guard.update(None)
        costs.append((1e6 * applied, 1e6 * (time.perf_counter() - began)))
    guard.update(BatchUpdate(batch, list(range(batch)), [], []))
    return np.array(costs[_WARM:])
