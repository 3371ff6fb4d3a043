"""Runs the faults one after the other under load; writes JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import bench.faults
from bench.faults.kinds import FAULTS, Fault
from bench.faults.load import Load, Tally
from bench.faults.stage import Stage, stage
from bench.machine import machine
from guard.audit_check import check_log

RESULT = Path(__file__).parents[1] / "results" / "faults.json"
_AFTER = 12.0  # seconds to recover, and for what the fault did to show
_WARM_UP = 45.0
_IDLE = 20.0  # seconds without load before memory is measured
_LONGEST_WAIT = 120.0

Row = dict[str, Any]


def outcomes(tally: Tally) -> dict[str, int]:
    return dict(sorted(tally.outcomes.items()))


async def one(fault: Fault, scene: Stage, load: Load) -> Row:
    """One fault: what clients got while it lasted and after, and how long recovering took."""
    load.tally = tally = Tally()
    before, streams, workers = scene.memory(), load.open, set(scene.guard.workers)
    instructions = scene.instructions()
    started = time.monotonic()
    await asyncio.to_thread(fault.begin, scene, load)
    await asyncio.sleep(fault.seconds)
    await asyncio.to_thread(fault.end, scene, load)
    ended = time.monotonic()
    await asyncio.sleep(_AFTER)
    while load.recovered(ended) is None and time.monotonic() < ended + _LONGEST_WAIT:
        await asyncio.sleep(0.5)
    probes = [good for start, good in load.probes if started <= start < ended]
    row: Row = {
        "fault": fault.name,
        "what": fault.what,
        "seconds": round(ended - started, 1),
        "streams": streams,
        "leaked_characters": tally.leaked,
        "wrong_benign_answers": tally.wrong,
        "benign_served_meanwhile": round(sum(probes) / max(1, len(probes)), 3),
        "recovered_s": load.recovered(ended),
        "workers_replaced": len(workers - set(scene.guard.workers)),
        "memory_mib": {"before": before, "after": scene.memory()},
        "instructions": dict(scene.instructions() - instructions),
        "outcomes": outcomes(tally),
    }
    if tally.examples:
        row["examples"] = tally.examples
    short = {k: row[k] for k in ("streams", "leaked_characters", "wrong_benign_answers")}
    print(f"{fault.name}: {short} recovered in {row['recovered_s']} s", flush=True)
    return row


async def run(scene: Stage, options: argparse.Namespace) -> Row:
    """All faults under one load, memory idle before and after."""
    chosen = [fault for fault in FAULTS if not options.only or fault.name in options.only]
    if not scene.clock.works:
        chosen = [fault for fault in chosen if "clock" not in fault.name]
    chosen = [fault for fault in chosen for _ in range(options.times)]
    idle: list[float] = []
    for part in ("warm-up", "faults"):
        load, over = Load(scene.guard.url, options.streams), asyncio.Event()
        running = asyncio.create_task(load.run(over))
        await asyncio.sleep(_WARM_UP if part == "warm-up" else 15.0)
        started = time.monotonic()
        rows = [await one(fault, scene, load) for fault in chosen if part == "faults"]
        seconds = time.monotonic() - started
        over.set()
        load.tally = last = Tally()
        await running
        await asyncio.sleep(_IDLE)
        idle.append(scene.memory())
        print(f"{part}: idle at {idle[-1]} MiB", flush=True)
    checked = check_log(scene.audit)
    wrong = [load_row["wrong_benign_answers"] for load_row in rows] + [last.wrong]
    leaked = [load_row["leaked_characters"] for load_row in rows] + [last.leaked]
    return {
        "machine": machine(),
        "streams": options.streams,
        "spacing_s": options.spacing,
        "workers": options.workers,
        "seconds": round(seconds, 1),
        "leaked_characters": sum(leaked),
        "wrong_benign_answers": sum(wrong),
        "memory_idle_mib": {"before": idle[0], "after": idle[-1]},
        "audit": {"whole": checked.whole, "records": checked.records},
        "still_in_flight": sum(scene.guard.in_flight()),
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(bench.faults.__doc__ or "").splitlines()[0])
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--spacing", type=float, default=1.5, help="seconds between two events")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="names of faults")
    parser.add_argument("--times", type=int, default=1, help="each fault so often: what grows?")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="faults-") as folder,
        stage(Path(folder), options.spacing, options.workers) as scene,
    ):
        result = asyncio.run(run(scene, options))
        log = scene.guard.log
    result["tracebacks"] = log.count("Traceback")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    if result["tracebacks"]:
        options.out.with_suffix(".log").write_text(log)
    sys.exit(bool(result["leaked_characters"] or result["wrong_benign_answers"]))


if __name__ == "__main__":
    main()
