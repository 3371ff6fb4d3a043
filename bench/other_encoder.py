"""Another encoder beside the one that ships: what it finds, in English and in other languages.

    python -m bench.other_encoder FOLDER HEAD --data FOLDER [--general FILE]

`FOLDER`: a sentence-transformers folder (bench/multilingual_e5.py makes one), `HEAD`: what `guard
detector train --encoder FOLDER` made of it; `--data`: TOFU as in its repository, under `tofu/`;
`--general`: JSON lines with "prompt" and "half", of which the first 2,000 of the half "test" count.
bench/languages.csv has stored questions that name nobody, other questions about the same things,
and what both are in four languages. Thresholds are those that ship, and the head's.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.detection.gating import HEADLINE, gating
from bench.detection.scoring import Guard, bounds
from bench.detection.tofu import RETAIN, Row, Tofu, read
from bench.machine import machine, versions
from classifiers import BatchedEncoder, SentenceEncoder, open_encoder
from classifiers.head import Head, check_encoder, load, packaged
from guard.policy import Policy
from guard.policy.compiled import Match

RESULT = Path("bench/results/other_encoder.json")
LANGUAGES = Path(__file__).with_name("languages.csv")
SPLIT = "forget10"
GENERAL = 2000
SPEED_ROWS = 200
SIMILARITIES = (0.8, 0.6, 0.5)


def arm(encoder: SentenceEncoder, head: Head, data: Path, general: Path | None) -> dict[str, Any]:
    """All figures of one encoder."""
    tofu = Tofu(data / "tofu")
    batched = BatchedEncoder(encoder, max_queue=1 << 20)
    try:
        guard = Guard(tofu.policies(SPLIT), batched, head)
        masked = Guard(tofu.policies(SPLIT, masked=True), batched, head)
        nameless, others = (
            [row for kind in HEADLINE for row in kinds[kind]] for kinds in gating(tofu, SPLIT)
        )
        retained = tofu.retained(SPLIT)
        found: dict[str, Any] = {
            "encoder": encoder.name,
            "tofu": {
                "paraphrases": flagged(guard, tofu.paraphrases(SPLIT)),
                "nameless": flagged(masked, nameless),
                "nameless, of others": flagged(masked, others),
                RETAIN[SPLIT]: flagged(guard, retained),
            },
            "languages": languages(batched, head),
            "milliseconds": speed(encoder, [row.text for row in retained]),
        }
        if general is not None:
            rows = [Row(row["prompt"]) for row in read(general) if row["half"] == "test"]
            found["general"] = flagged(guard, rows[:GENERAL])
    finally:
        batched.close()
    return found


def flagged(guard: Guard, rows: Sequence[Row]) -> dict[str, Any]:
    """How many of the rows are."""
    verdicts = guard.ask(rows)
    return bounds([verdict.flagged for verdict in verdicts], [row.author for row in rows])


def languages(encoder: BatchedEncoder, head: Head) -> dict[str, Any]:
    """By language, and by `match.similarity`, how many translations of stored questions are flagged
    and how many of others; their cosines (least, median, largest), and what share of those with
    stored ones lie above all with others."""
    with LANGUAGES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    asked = tuple(row["en"] for row in rows if row["kind"] == "stored")
    guards = {
        similarity: Guard(
            [Policy(name="stored", prompts=asked, match=Match(similarity=similarity))],
            encoder,
            head,
        )
        for similarity in SIMILARITIES
    }
    found: dict[str, Any] = {}
    for language in list(rows[0])[1:]:
        flags: dict[str, dict[str, int]] = {}
        cosines: dict[str, list[float]] = {}
        for kind in ("stored", "other"):
            texts = [Row(row[language]) for row in rows if row["kind"] == kind]
            verdicts = {similarity: guard.ask(texts) for similarity, guard in guards.items()}
            flags[kind] = {str(s): sum(one.flagged for one in v) for s, v in verdicts.items()}
            cosines[kind] = [v.signals["nearest_prompt"] for v in verdicts[SIMILARITIES[0]]]
        highest = max(cosines["other"])
        found[language] = {
            "rows": len(asked),
            "flagged": flags,
            "cosines": {
                kind: np.quantile(c, (0, 0.5, 1)).round(3).tolist() for kind, c in cosines.items()
            },
            "stored_above_all_others": float(np.mean([c > highest for c in cosines["stored"]])),
        }
    return found


def speed(encoder: SentenceEncoder, texts: Sequence[str]) -> dict[str, float]:
    """Wall milliseconds of one thread, a short prompt: the median alone, the mean in batches."""
    chosen = list(texts[:SPEED_ROWS])
    encoder.encode(chosen)  # shapes are prepared once
    alone = []
    for text in chosen:
        started = time.perf_counter()
        encoder.encode([text])
        alone.append(time.perf_counter() - started)
    started = time.perf_counter()
    encoder.encode(chosen)
    together = (time.perf_counter() - started) / len(chosen)
    return {"alone": 1e3 * float(np.median(alone)), "batched": 1e3 * together}


def main() -> None:
    """Write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("head", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--general", type=Path)
    parser.add_argument("--only-languages", action="store_true", help="into the result there is")
    options = parser.parse_args()
    head = load(options.head)
    other = open_encoder(options.folder)
    check_encoder(str(options.head), head.encoder, other.name)
    if options.only_languages:
        result = json.loads(RESULT.read_text())
        for held, encoder, used in zip(
            result["arms"], (open_encoder(), other), (packaged(), head), strict=True
        ):
            batched = BatchedEncoder(encoder)
            held["languages"] = languages(batched, used)
            batched.close()
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
        return
    arms = [
        arm(encoder, used, options.data, options.general)
        for encoder, used in ((open_encoder(), packaged()), (other, head))
    ]
    result = {
        "machine": machine(),
        "versions": versions(("openvino", "tokenizers")),
        "scale": json.loads(head.saved())["scale"],
        "head": {"threshold": head.threshold, "target": head.target},
        "arms": arms,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
