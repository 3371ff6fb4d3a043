"""GUARD's prompt classifiers on the demo model's hidden states, beside the detectors that ship.

    python -m bench.hidden_states --data FOLDER [--general traffic.jsonl]

One classifier for each author of TOFU's forget05, trained from its policy alone (`guard/hidden`),
on Gemma 3 270M; a prompt is flagged where any fires. `alone`: at the thresholds that were set on
invented people; `at 0.5`: at the method's. Nothing here is trained or set on the rows reported.
What ships, on the same rows, is in `bench/results/detect.json`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.detection.gating import HEADLINE, gating
from bench.detection.scoring import bounds
from bench.detection.tofu import Row, Tofu
from bench.machine import machine, versions
from bench.traffic import json_lines
from classifiers.hidden_states import HiddenStates
from classifiers.prompt_classifier import PromptClassifier
from guard.demo.model import demo_model
from guard.hidden.training import Trainer

RESULT = Path(__file__).parent / "results" / "hidden_states.json"
SPLIT = "forget05"
MOST = 1000  # prompts of a group, drawn
PUBLISHED = 0.0  # log-odds of 0.5
SEED = 11


def groups(tofu: Tofu, general: Path | None) -> dict[str, list[Row]]:
    """Rows by what they are."""
    wanted, other = gating(tofu, SPLIT)
    swapped, _ = tofu.swapped(SPLIT)
    found = {
        "paraphrases": tofu.paraphrases(SPLIT),
        "named nobody: forgotten authors": [row for name in HEADLINE for row in wanted[name]],
        "named nobody: retained authors": [row for name in HEADLINE for row in other[name]],
        "retain95 originals": tofu.retained(SPLIT),
        "retained paraphrases": tofu.retained_paraphrases(),
        "name swapped": swapped,
        **tofu.others(),
    }
    if general is not None:
        kept = (row["prompt"] for row in json_lines(general) if row["half"] == "test")
        found["general traffic"] = [Row(text) for text in kept]
    return {name: some(rows) for name, rows in found.items()}


def some(rows: list[Row]) -> list[Row]:
    """MOST of them, drawn by seed, or all."""
    drawn = np.random.default_rng(SEED).permutation(len(rows))[:MOST]
    return [rows[place] for place in sorted(drawn)]


def features(model: HiddenStates, rows: Sequence[Row]) -> list[Any]:
    """Of every window of every row: arrays (windows, h)."""
    windows = [[chunk.text for chunk in model.windows(row.text)] for row in rows]
    flat = model.encode([text for texts in windows for text in texts])
    ends = np.cumsum([len(texts) for texts in windows])
    return np.split(flat, ends[:-1])


def table(
    model: HiddenStates, classifiers: Sequence[PromptClassifier], rows: Sequence[Row]
) -> dict[str, Any]:
    """Shares flagged at both thresholds, with bounds; and how long a prompt took."""
    started = time.process_time()
    seen = features(model, rows)
    took = time.process_time() - started
    best = np.array([[one.odds(x).max() for one in classifiers] for x in seen])
    limits = np.array([one.threshold for one in classifiers])
    clusters = [row.author for row in rows]
    return {
        "alone": bounds((best >= limits).any(1).tolist(), clusters),
        "at 0.5": bounds((best >= PUBLISHED).any(1).tolist(), clusters),
        "cpu_ms_a_prompt": round(1e3 * took / max(1, len(rows)), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="TOFU's files")
    parser.add_argument("--general", type=Path)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    tofu = Tofu(options.data)
    model = HiddenStates(demo_model())
    trainer = Trainer(model)
    started = time.process_time()
    classifiers = []
    for policy in tofu.policies(SPLIT):
        classifiers.append(trainer.train(policy))
        print(policy.name, classifiers[-1].threshold, round(time.process_time() - started), "s",
              flush=True)  # fmt: skip
    result: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(("torch", "transformers")),
        "model": model.name,
        "policies": len(classifiers),
        "training_cpu_s": round(time.process_time() - started, 1),
        "thresholds": [one.threshold for one in classifiers],
        "tables": {},
    }
    for name, rows in groups(tofu, options.general).items():
        result["tables"][name] = table(model, classifiers, rows)
        print(name, json.dumps(result["tables"][name]), flush=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
