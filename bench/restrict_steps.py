"""What the engine plugin adds to a step: V1's own class on the batches that vLLM gives it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np

from bench.forbidden import forbidden
from bench.ordinary import paragraphs
from guard.restrict import Phrase
from guard.restrict.shelf import Shelf, shard_name
from guard.restrict.token_bytes import token_bytes
from guard.restrict.vllm_plugin.arguments import as_xargs
from guard.restrict.vllm_plugin.engine import Engine
from guard.restrict.vocabulary import Vocabulary, build_vocabulary

BATCHES = (1, 16, 64, 256)
PHRASES = (0, 128, 10_000, 100_000)
_STEPS = 300
_WARM = 20


class Model:
    """A tokenizer's vocabulary, and ordinary text in it."""

    def __init__(self, folder: Path, name: str) -> None:
        from transformers import AutoTokenizer

        self.name = name
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        size = len(self.tokenizer)
        self.vocabulary: Vocabulary = build_vocabulary(token_bytes(self.tokenizer, size))
        self.end = int(self.tokenizer.eos_token_id)
        text = "\n".join(islice(paragraphs(), 12_000))
        self.tokens: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids


def held(model: Model, phrases: Sequence[Phrase], folder: Path) -> tuple[Engine, Any, list[str]]:
    """An engine and V1's class that hold the phrases: (engine, guard, ids of its sets)."""
    from guard.restrict.vllm_plugin.v1 import V1Guard

    shelf = Shelf(folder)
    engine = Engine(shelf, model.vocabulary, end=model.end, nodes=1 << 23, name="bench")
    guard = V1Guard(engine, max(BATCHES))
    sets = [shelf.publish({shard_name(phrases): list(phrases)}).id] if phrases else []
    engine.follow()
    return engine, guard, sets


def step_costs(model: Model) -> list[dict[str, Any]]:
    """Microseconds a step and a row for every batch size and number of phrases."""
    rows = []
    for count in PHRASES:
        with TemporaryDirectory() as folder:
            _, guard, sets = held(model, forbidden(count), Path(folder))
            for batch in BATCHES:
                costs = _steps(model, guard, sets, batch)
                rows.append(
                    {
                        "model": model.name,
                        "vocabulary": model.vocabulary.tokens,
                        "phrases": count,
                        "batch": batch,
                        **_summary(costs, batch),
                    }
                )
    return rows


def _steps(model: Model, guard: Any, sets: Sequence[str], batch: int) -> list[float]:
    import torch
    from vllm.v1.sample.logits_processor.interface import BatchUpdate

    params = SimpleNamespace(extra_args=as_xargs(sets, lead=False) or {"guard_sets": []})
    outputs: list[list[int]] = [[] for _ in range(batch)]
    added = [(row, params, [], outputs[row]) for row in range(batch)]
    guard.update(BatchUpdate(batch, [], added, []))
    logits = torch.zeros((batch, model.vocabulary.tokens))
    stride = len(model.tokens) // batch
    costs = []
    for step in range(_STEPS + _WARM):
        for row, output in enumerate(outputs):
            output.append(model.tokens[(row * stride + step) % len(model.tokens)])
        began = time.perf_counter()
        guard.update(None)
        guard.apply(logits)
        costs.append(time.perf_counter() - began)
    guard.update(BatchUpdate(batch, list(range(batch)), [], []))
    return costs[_WARM:]


def bad_words_costs(model: Model) -> list[dict[str, Any]]:
    """vLLM's own `bad_words` at its limit of 128 entries, on the same batches."""
    import torch
    from vllm.v1.sample.ops.bad_words import apply_bad_words

    words = [b" ".join(phrase.whole).decode() for phrase in forbidden(128)][:128]
    banned = [model.tokenizer(f" {word}", add_special_tokens=False).input_ids for word in words]
    rows = []
    for batch in BATCHES:
        logits = torch.zeros((batch, model.vocabulary.tokens))
        outputs: list[list[int]] = [[] for _ in range(batch)]
        stride = len(model.tokens) // batch
        costs = []
        for step in range(60):
            for row, output in enumerate(outputs):
                output.append(model.tokens[(row * stride + step) % len(model.tokens)])
            began = time.perf_counter()
            apply_bad_words(logits, dict.fromkeys(range(batch), banned), outputs)
            costs.append(time.perf_counter() - began)
        rows.append(
            {"model": model.name, "phrases": 128, "batch": batch, **_summary(costs[10:], batch)}
        )
    return rows


def _summary(costs: Sequence[float], batch: int) -> dict[str, float]:
    microseconds = np.array(costs) * 1e6
    middle = float(np.median(microseconds))
    return {
        "step_us_p50": round(middle, 1),
        "step_us_p95": round(float(np.percentile(microseconds, 95)), 1),
        "row_us_p50": round(middle / batch, 2),
        "share_of_10_ms": round(middle / 10_000, 5),
    }


def compile_costs(model: Model, count: int = 100_000) -> dict[str, Any]:
    """From phrases to a held set: a large one, the same from the cache, and one policy more."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        phrases, more = forbidden(count), forbidden(100, seed=11)
        shards = {shard_name(phrases): phrases}
        before = _resident()
        first = _timed_hold(model, folder, shards)
        grown = _resident() - before
        engine = first.pop("engine")
        again = _timed_hold(model, folder, shards)
        added = {**shards, shard_name(more): more}
        began = time.perf_counter()
        engine._shelf.publish(added)
        engine.follow()
        one_more = time.perf_counter() - began
        again.pop("engine")
        return {
            "model": model.name,
            "phrases": count,
            **first,
            "resident_grown_mb": round(grown / 2**20, 1),
            "from_cache": again,
            "one_policy_of_100_phrases_more_s": round(one_more, 2),
        }


def _resident() -> int:
    """Bytes of this process in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _timed_hold(model: Model, folder: Path, shards: dict[str, list[Phrase]]) -> dict[str, Any]:
    from guard.restrict.vllm_plugin.v1 import V1Guard

    shelf = Shelf(folder)
    engine = Engine(
        shelf, model.vocabulary, end=model.end, nodes=1 << 23, name="bench", cache=folder / "tables"
    )
    V1Guard(engine, 1)
    began = time.perf_counter()
    shelf.publish(shards)
    published = time.perf_counter()
    engine.follow()
    return {
        "trie_s": round(published - began, 2),
        "hold_s": round(time.perf_counter() - published, 2),
        "engine": engine,
    }


def over_blocking(model: Model, tokens: int, count: int = 100_000) -> dict[str, Any]:
    """How often a ban takes the token that ordinary text goes on with, though no match follows."""
    from guard.restrict import PhraseAutomaton

    phrases = forbidden(count)
    automaton = PhraseAutomaton(phrases)
    with TemporaryDirectory() as name:
        engine, guard, sets = held(model, phrases, Path(name))
        core = guard._guard
        roots = engine.hold(sets)
        assert roots is not None
        order = np.argsort(model.vocabulary.order)  # token to its place, for tokens with text
        place_of = dict(zip(model.vocabulary.order[order].tolist(), order.tolist(), strict=True))
        steps = bans = needless = 0
        for paragraph in paragraphs():
            ids = model.tokenizer(paragraph, add_special_tokens=False).input_ids
            core.begin(0, roots)
            for token in ids:
                spans, counts = core.spans([0])
                place = place_of.get(token, -1)
                used = spans[: int(counts[0])]
                if ((used[:, 0] <= place) & (place < used[:, 1])).any():
                    bans += 1
                    rest = model.tokenizer.decode(ids)
                    needless += not automaton.find_all(rest)
                core.take([0], [token])
                steps += 1
                if steps == tokens:
                    break
            if steps == tokens:
                break
        return {
            "model": model.name,
            "phrases": count,
            "tokens": steps,
            "bans": bans,
            "bans_without_a_match": needless,
            "per_10_000": round(1e4 * needless / max(1, steps), 3),
        }
