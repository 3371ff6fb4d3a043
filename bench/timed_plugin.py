"""The engine plugin with a clock: what it takes of the steps of a running vLLM.

Loaded by `--logits-processors bench.timed_plugin:TimedGuard`; writes what it measured to the file
that GUARD_BENCH_TIMES names, once a second.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from guard.restrict.vllm_plugin.processor import GuardLogitsProcessor

_LONGEST_STEP = 5.0  # seconds; a longer pause is no step but a lack of requests


class TimedGuard(GuardLogitsProcessor):
    """Counts steps with logits, their seconds from one to the next, and its own seconds."""

    def __init__(self, vllm_config: Any, *made_with: Any) -> None:
        super().__init__(vllm_config, *made_with)
        self._path = Path(os.environ["GUARD_BENCH_TIMES"])
        self._steps: list[tuple[int, float, float]] = []  # rows, own seconds, whole seconds
        self._own = 0.0
        self._last = self._written = time.perf_counter()

    def update_state(self, batch_update: Any) -> None:
        """As the plugin, timed."""
        began = time.perf_counter()
        super().update_state(batch_update)
        self._own += time.perf_counter() - began

    def apply(self, logits: Any, *context: Any) -> Any:
        """As the plugin, timed."""
        began = time.perf_counter()
        changed = super().apply(logits, *context)
        now = time.perf_counter()
        whole = now - self._last
        if whole < _LONGEST_STEP:
            self._steps.append((len(logits), self._own + now - began, whole))
        self._last, self._own = now, 0.0
        if now - self._written > 1.0:
            self._path.write_text(json.dumps(self._steps))
            self._written = now
        return changed
