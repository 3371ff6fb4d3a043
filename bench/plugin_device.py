"""What decode-time forgetting adds to a step on a GPU, in device time by CUDA events.

    python -m bench.plugin_device [--tokenizer DIR] [--out bench/results/plugin_device.json]

Batches of 1, 16, 64 and 256 rows under 0, 128, 10,000 and 100,000 phrases (half names, half runs of
four words), over the vocabulary of a Hugging Face tokenizer: Gemma's (262,144 tokens) unless
another is named. Texts are common words with forbidden phrases up to their last word in between,
so that threads are alive. Reported are the median and the 99th percentile of one `apply`, in
microseconds on the device, and its median on the host (launches only; nothing waits). Without a
CUDA device it says so and exits with 2.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from wordfreq import top_n_list

from bench.machine import machine, versions
from guard.restrict.folding import fold_words
from guard.restrict.forest import Forest
from guard.restrict.outlook import outlook
from guard.restrict.phrases import join
from guard.restrict.token_bytes import token_bytes
from guard.restrict.trie import BOUNDED, UNBOUNDED, build_trie
from guard.restrict.vllm_plugin.v2 import V2Guard
from guard.restrict.vocabulary import Vocabulary, build_vocabulary

BATCHES = (1, 16, 64, 256)
PHRASES = (0, 128, 10_000, 100_000)
STEPS = 200
WARM_UP = 20
PROMPT = 8  # tokens that are not read
_BUSY = 2_000_000  # cycles, about a millisecond
NODES = 1 << 22  # of the forest: room for 100,000 phrases


def vocabulary_of(tokenizer: Path | None) -> Vocabulary:
    from transformers import AutoTokenizer

    if tokenizer is None:
        from guard.demo.model import demo_model

        tokenizer = demo_model()
    made = AutoTokenizer.from_pretrained(tokenizer)
    return build_vocabulary(token_bytes(made, len(made)))


def phrases_of(number: int) -> list[str]:
    random_ = random.Random(number)
    words = [word for word in top_n_list("en", 60_000) if word.isalpha()]
    return [" ".join(random_.sample(words, 2 if i % 2 else 4)) for i in range(number)]


class Spelling:
    """Text to tokens: whole words where the vocabulary has them, else bytes."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._ids = {vocabulary.bytes_of(i): i for i in range(vocabulary.tokens)}

    def __call__(self, text: str) -> list[int]:
        found: list[int] = []
        for word in text.split():
            piece = b" " + word.encode()
            whole = self._ids.get(piece)
            found += [whole] if whole is not None else [self._ids[bytes([b])] for b in piece]
        return found


def texts_of(phrases: Sequence[str], rows: int, spell: Spelling) -> np.ndarray:
    """int32 (rows, PROMPT + STEPS + WARM_UP)."""
    random_ = random.Random(rows)
    common = [word for word in top_n_list("en", 3000) if word.isalpha()]
    length = PROMPT + STEPS + WARM_UP
    made = np.zeros((rows, length), dtype=np.int32)
    for row in made:
        tokens: list[int] = []
        while len(tokens) < length:
            tokens += spell(" ".join(random_.sample(common, 6)))
            if phrases:
                tokens += spell(random_.choice(phrases).rsplit(" ", 1)[0])
        row[:] = tokens[:length]
    return made


def guard_of(vocabulary: Vocabulary, phrases: Sequence[str], texts: np.ndarray) -> tuple[Any, ...]:
    """(guard, the request state's lengths on the device, seconds to compile and bring)."""
    rows, device = len(texts), torch.device("cuda")
    held = torch.from_numpy(texts).to(device)
    total = torch.full((rows,), PROMPT, dtype=torch.int32, device=device)
    lengths = np.full(rows, PROMPT, dtype=np.int32)
    requests = SimpleNamespace(
        device=device,
        max_num_reqs=rows,
        vocab_size=vocabulary.tokens,
        all_token_ids=SimpleNamespace(gpu=held),
        total_len=SimpleNamespace(gpu=total),
        prompt_len=SimpleNamespace(np=lengths),
        prefill_len=SimpleNamespace(np=lengths),
    )
    forest = Forest(NODES)
    roots: list[int] = []
    engine: Any = SimpleNamespace(
        vocabulary=vocabulary,
        forest=forest,
        end=int(np.flatnonzero(vocabulary.special)[0]),
        arguments=lambda asked: asked,
        roots=lambda sets: tuple(roots),
        soft=lambda name: None,
        release=lambda gone: None,
    )
    guard = V2Guard(SimpleNamespace(speculative_config=None), requests, engine)
    flagged = sorted({
        (join(tuple(fold_words(phrase))), BOUNDED if phrase.count(" ") == 1 else UNBOUNDED)
        for phrase in phrases
    })  # fmt: skip
    trie = build_trie([symbols for symbols, _ in flagged], [flag for _, flag in flagged])
    begin = time.perf_counter()
    root = forest.plant(trie, outlook(trie))
    guard.backend.planted(root, root + trie.nodes)
    roots.append(root)
    seconds = time.perf_counter() - begin
    for slot in range(rows):
        guard.add_request(slot, SimpleNamespace(sets=("all",), soft=None, lead=False))
    guard.apply_staged_writes()
    return guard, total, seconds


def measure(vocabulary: Vocabulary, phrases: Sequence[str], rows: int, spell: Spelling) -> Any:
    texts = texts_of(phrases, rows, spell)
    guard, total, seconds = guard_of(vocabulary, phrases, texts)
    device = total.device
    slots = torch.arange(rows, dtype=torch.int32, device=device)
    offsets = torch.zeros(rows, dtype=torch.int32, device=device)
    raw = torch.randn((rows, vocabulary.tokens), device=device)
    logits = torch.empty_like(raw)
    spans: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
    host: list[float] = []
    for step in range(STEPS + WARM_UP):
        context = SimpleNamespace(
            idx_mapping=slots,
            idx_mapping_np=np.arange(rows),
            expanded_idx_mapping=slots,
            expanded_local_pos=offsets,
            input_ids=offsets,
            pos=total - 1,
        )
        logits.copy_(raw)
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        # As behind a model's forward pass, launches queue up: only the device's own time counts.
        torch.cuda._sleep(_BUSY)
        before.record()
        begin = time.perf_counter()
        guard.apply(logits, context)
        if step >= WARM_UP:
            host.append(time.perf_counter() - begin)
        after.record()
        if step >= WARM_UP:
            spans.append((before, after))
        total += 1
    torch.cuda.synchronize()
    device_us = sorted(1000 * before.elapsed_time(after) for before, after in spans)
    return {
        "rows": rows,
        "phrases": len(phrases),
        "device_us_median": round(statistics.median(device_us), 1),
        "device_us_p99": round(device_us[int(0.99 * (len(device_us) - 1))], 1),
        "host_us_median": round(1e6 * statistics.median(host), 1),
        "plant_seconds": round(seconds, 2),
        "rows_that_may_only_end": int((torch.isfinite(logits).sum(1) == 1).sum()),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, help="a Hugging Face tokenizer's folder")
    parser.add_argument("--out", type=Path, default=Path("bench/results/plugin_device.json"))
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA device here: nothing was measured", file=sys.stderr)
        return 2
    vocabulary = vocabulary_of(arguments.tokenizer)
    spell = Spelling(vocabulary)
    results = []
    for number in PHRASES:
        phrases = phrases_of(number)
        for rows in BATCHES:
            results.append(measure(vocabulary, phrases, rows, spell))
            print(json.dumps(results[-1]))
    written = {
        "machine": {**machine(), "gpu": torch.cuda.get_device_name()},
        "versions": versions(["torch", "triton", "numba", "vllm"]),
        "vocabulary": vocabulary.tokens,
        "steps": STEPS,
        "results": results,
    }
    arguments.out.write_text(json.dumps(written, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
