"""The plugin's share of the steps of a running vLLM, under 100,000 phrases, by batch size."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np

from bench.forbidden import forbidden
from guard.demo.engine import START_TIMEOUT, Engine
from guard.restrict.shelf import Shelf, held_by_all, shard_name
from guard.restrict.vllm_plugin.arguments import as_xargs

PHRASES = 100_000
# It forbids nothing that matters here: any text will do, as long as every row goes on and on.
PROMPTS = [
    "The history of the lighthouse begins with",
    "A good soup is made of",
    "On the first morning of the voyage the captain",
    "To mend a bicycle tyre one needs",
    "The market in the old town opens when",
]
_LENGTH = 256


def step_share(
    folder: Path, name: str, batches: Sequence[int] = (1, 16, 64), tokens: int = 48
) -> list[dict[str, Any]]:
    """One row a batch size; `share_p50` is of steps that held at least four fifths of the batch.

    `tokens`: how many each of the requests generates.
    """
    with _engine(folder, name, max(batches)) as (url, sets, times):
        more = {"vllm_xargs": as_xargs(sets, lead=False), "ignore_eos": True}
        rows = []
        for batch in batches:
            before = len(_times(times))
            jobs = [
                {"model": name, "prompt": prompt, "max_tokens": tokens, "temperature": 0, **more}
                for prompt in islice(cycle(PROMPTS), max(16, 3 * batch))
            ]
            _post(url, jobs, batch)
            time.sleep(1.5)
            _post(url, jobs[:1], 1)  # writes what was measured
            steps = [step for step in _times(times)[before:] if step[0] >= 0.8 * batch]
            rows.append({"model": name, "phrases": PHRASES, "batch": batch, **_summary(steps)})
        return rows


@contextmanager
def _engine(folder: Path, name: str, most: int) -> Iterator[tuple[str, list[str], Path]]:
    """A vLLM with the clocked plugin that holds the phrases: (url, ids of sets, file of times)."""
    with TemporaryDirectory() as place:
        shelf, times = Shelf(Path(place) / "shelf"), Path(place) / "times.json"
        os.environ["GUARD_BENCH_TIMES"] = str(times)
        arguments = [
            "--max-num-seqs", str(most), "--logits-processors", "bench.timed_plugin:TimedGuard",
        ]  # fmt: skip
        engine = Engine(
            folder, name=name, max_model_len=_LENGTH, shelf=shelf.path, arguments=arguments
        )
        with engine:
            engine.wait(START_TIMEOUT)
            phrases = forbidden(PHRASES)
            held = shelf.publish({shard_name(phrases): phrases}).id
            deadline = time.monotonic() + 300
            while not held_by_all(shelf.engines(), held):
                if time.monotonic() > deadline:
                    raise TimeoutError("the engine does not hold the phrases")
                time.sleep(0.2)
            yield engine.url, [held], times


def _post(url: str, jobs: Sequence[dict[str, Any]], at_once: int) -> None:
    with (
        httpx.Client(
            base_url=url, timeout=600, trust_env=False, limits=httpx.Limits(max_connections=at_once)
        ) as client,
        ThreadPoolExecutor(at_once) as threads,
    ):
        for answer in threads.map(lambda job: client.post("/v1/completions", json=job), jobs):
            answer.raise_for_status()


def _summary(steps: Sequence[tuple[int, float, float]]) -> dict[str, Any]:
    own, whole = (np.array([step[i] for step in steps]) for i in (1, 2))
    return {
        "steps": len(steps),
        "plugin_us_p50": round(float(np.median(own)) * 1e6, 1),
        "plugin_us_p95": round(float(np.percentile(own, 95)) * 1e6, 1),
        "step_us_p50": round(float(np.median(whole)) * 1e6, 1),
        "share_p50": round(float(np.median(own / whole)), 5),
    }


def _times(path: Path) -> list[tuple[int, float, float]]:
    return json.loads(path.read_text()) if path.exists() else []
