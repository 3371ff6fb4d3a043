"""What the proxy costs, beside other hops, on one machine in one run.

    python -m bench.proxy [--quick] [--rounds 4] [--arms direct,ours,...] [--litellm PATH]

Three scenes, each with the load generator (`bench/load.py`), the model server (`bench/upstream.py`)
and the hop as processes of their own on the same cores: `json` (no prefill, as many requests as
the hop can take), `first_token` (streams behind a scripted prefill of 50 ms) and `stream` (deltas
every 5 ms, from many clients). All arms stay up while they are measured in turn, so each round is
a fair draw of the machine's mood; results are medians over rounds, and what counts is the ratios.
Every prompt differs, so that nothing is answered from a cache of verdicts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.arms import ARMS, Arm, ArmUnavailable, LiteLLM, Ours, answers
from bench.machine import free_port, machine, median_of, versions
from bench.upstream import Script

RESULT = Path(__file__).parent / "results" / "proxy.json"
HOPS = ("starlette_aiohttp", "fastapi_httpx")
OURS = ("ours", "ours_policies", "ours_detection")
PACKAGES = ("guard-forget", "uvicorn", "uvloop", "httptools", "starlette", "fastapi", "aiohttp")

Cell = dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """A script of the model server and the loads that run against it."""

    name: str
    script: Script
    stream: bool
    concurrencies: tuple[int, ...]
    workers: tuple[int, ...]
    longer: float = 1.0  # times the plan's seconds: few requests fit into a slow scene


SCENES = (
    Scene("json", Script(deltas=64), False, (1, 16, 64), (1, 2)),
    Scene("first_token", Script(prefill_ms=50, deltas=8), True, (1, 16), (1,), longer=2.0),
    Scene("stream", Script(prefill_ms=50, deltas=64, spacing_ms=5), True, (1, 16, 64), (1,)),
)


@dataclass(frozen=True)
class Plan:
    """How long and how often."""

    rounds: int = 4
    seconds: float = 1.5
    warmup: float = 0.4
    workers: tuple[int, ...] = (1, 2)


def load(arm: Arm, scene: Scene, concurrency: int, plan: Plan, seed: int) -> Cell:
    """One run of the load generator."""
    command = [sys.executable, "-m", "bench.load", "--url", arm.url, "--distinct"]
    command += [f"--key={arm.key}", f"--seed={seed}"]
    command += [f"--concurrency={concurrency}", f"--seconds={plan.seconds * scene.longer}"]
    command += [f"--warmup={plan.warmup}", *(["--stream"] if scene.stream else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return dict(json.loads(done.stdout))


def use_script(upstream: str, script: Script) -> None:
    body = json.dumps(asdict(script)).encode()
    urllib.request.urlopen(urllib.request.Request(f"{upstream}/script", body, method="PUT")).close()


def start_arms(names: list[str], upstream: str, folder: Path, workers: int) -> tuple[Any, Any]:
    """The arms that run, and why the others do not."""
    up: dict[str, Arm] = {}
    unavailable: dict[str, str] = {}
    for name in names:
        arm = ARMS[name](upstream, folder)
        try:
            started = time.monotonic()
            arm.start(workers)
            up[name] = arm
            print(f"{name}: up in {time.monotonic() - started:.1f} s", flush=True)
        except ArmUnavailable as reason:
            arm.stop()
            unavailable[name] = str(reason)
            print(f"{name}: {reason}", flush=True)
    return up, unavailable


def measure(arms: dict[str, Arm], upstream: str, workers: int, plan: Plan) -> list[Cell]:
    """Every scene for every arm, interleaved; one row a scene, concurrency and arm."""
    cells: dict[tuple[str, int, str], list[Cell]] = {}
    names = list(arms)
    for round_ in range(plan.rounds):
        # Each round starts with another arm: none always follows the same one.
        order = names[round_ % len(names) :] + names[: round_ % len(names)]
        for scene in (scene for scene in SCENES if workers in scene.workers):
            use_script(upstream, scene.script)
            for concurrency in scene.concurrencies:
                for name in order:
                    cell = load(arms[name], scene, concurrency, plan, seed=round_)
                    cells.setdefault((scene.name, concurrency, name), []).append(cell)
                    rate = f"{cell['requests_per_second']:9.1f}/s"
                    p50 = f"{cell['latency_ms'].get('p50', float('nan')):8.2f} ms"
                    line = f"{workers}w {round_} {scene.name:12}{concurrency:3} {name:18}"
                    print(f"{line}{rate}{p50} {cell['failures']} failed", flush=True)
    return [
        {
            "scene": scene,
            "workers": workers,
            "concurrency": concurrency,
            "arm": name,
            **median_of(rounds),
            "failures": sum(cell["failures"] for cell in rounds),
            "rounds": [round(cell["requests_per_second"], 1) for cell in rounds],
            **added(rounds, cells.get((scene, concurrency, "direct"))),
        }
        for (scene, concurrency, name), rounds in cells.items()
    ]


def added(rounds: list[Cell], direct: list[Cell] | None) -> Cell:
    """What the hop adds to `direct` in the same round, in ms: median over rounds.

    First delta and whole answer at p50; gaps between reads at p50 and p95.
    """
    if direct is None:
        return {}
    wanted = [
        ("latency_ms", "p50"),
        ("first_delta_ms", "p50"),
        ("gap_ms", "p50"),
        ("gap_ms", "p95"),
    ]
    result = {}
    for measure_, quantile in wanted:
        pairs = [
            (cell[measure_][quantile], base[measure_][quantile])
            for cell, base in zip(rounds, direct, strict=True)
            if cell.get(measure_) and base.get(measure_)
        ]
        if pairs:
            name = f"added_{measure_.removesuffix('_ms')}_{quantile}_ms"
            result[name] = round(statistics.median(cell - base for cell, base in pairs), 3)
    return result


def ratios(rows: list[Cell]) -> list[Cell]:
    """Requests per second of ours over the fastest bare hop and over LiteLLM, JSON scene.

    Within each round, then the median: what else the machine did then, it did to both.
    """
    places: dict[tuple[int, int], dict[str, list[float]]] = {}
    for row in rows:
        if row["scene"] == "json":
            place = places.setdefault((row["workers"], row["concurrency"]), {})
            place[row["arm"]] = row["rounds"]
    result = []
    for (workers, concurrency), rates in places.items():
        hops = [rates[hop] for hop in HOPS if hop in rates]
        bare = [max(together) for together in zip(*hops, strict=True)]
        result += [
            {
                "workers": workers,
                "concurrency": concurrency,
                "arm": arm,
                "over_fastest_bare_hop": over(rates[arm], bare),
                "over_litellm": over(rates[arm], rates.get("litellm", [])),
            }
            for arm in OURS
            if arm in rates
        ]
    return result


def over(ours: list[float], theirs: list[float]) -> float | None:
    """Median ratio over rounds; None when there is nothing to compare with."""
    pairs = [mine / other for mine, other in zip(ours, theirs, strict=False) if other]
    return round(statistics.median(pairs), 3) if pairs else None


def run(names: list[str], plan: Plan) -> Cell:
    """The whole benchmark as one JSON object."""
    port = free_port()
    upstream = f"http://127.0.0.1:{port}"
    rows: list[Cell] = []
    memory: list[Cell] = []
    unavailable: dict[str, str] = {}
    before = machine()
    server = subprocess.Popen([sys.executable, "-m", "bench.upstream", "--port", str(port)])
    folder = Path(tempfile.mkdtemp(prefix="bench-proxy-"))
    try:
        while not answers(upstream):
            time.sleep(0.1)
        for workers in plan.workers:
            use_script(upstream, Script())
            arms, missing = start_arms(names, upstream, folder, workers)
            unavailable |= missing
            try:
                idle = {name: arm.memory_mib() for name, arm in arms.items()}
                rows += measure(arms, upstream, workers, plan)
                memory += [
                    {
                        "arm": name,
                        "workers": workers,
                        "idle_mib": idle[name],
                        "after_mib": arm.memory_mib(),
                    }
                    for name, arm in arms.items()
                    if arm.process
                ]
            finally:
                for arm in arms.values():
                    arm.stop()
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "machine": before,
        "load_average_after": [round(load, 2) for load in os.getloadavg()],
        "versions": versions(PACKAGES) | {"litellm": litellm_version()},
        "plan": asdict(plan),
        "unavailable": unavailable,
        "ratios": ratios(rows),
        "memory": memory,
        "rows": rows,
    }


def litellm_version() -> str | None:
    found = LiteLLM.executable.parent.parent.glob("lib/*/site-packages/litellm-*.dist-info")
    return next((path.name.split("-")[1].removesuffix(".dist") for path in found), None)


def guard_command(given: str | None) -> tuple[str, ...]:
    """The `guard` of this environment, also where the package is not installed."""
    script = Path(sys.executable).parent / "guard"
    if given or script.exists():
        return tuple((given or str(script)).split())
    return (sys.executable, "-c", "from guard.cli.main import main; main()")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round, one worker")
    parser.add_argument("--rounds", type=int, default=Plan.rounds)
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="of each load")
    parser.add_argument("--arms", default=",".join(ARMS), help=f"of {', '.join(ARMS)}")
    parser.add_argument("--litellm", type=Path, help="its executable, in an environment of its own")
    parser.add_argument("--guard", help="the command of ours, split at blanks")
    parser.add_argument("--config", type=Path, help="configuration file for `guard serve`")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    names = options.arms.split(",")
    if unknown := set(names) - set(ARMS):
        parser.error(f"unknown arms: {', '.join(sorted(unknown))}; there are {', '.join(ARMS)}")
    LiteLLM.executable = options.litellm or LiteLLM.executable
    Ours.guard = guard_command(options.guard)
    Ours.config = options.config
    plan = Plan(rounds=options.rounds, seconds=options.seconds)
    if options.quick:
        plan = Plan(rounds=1, seconds=0.7, warmup=0.2, workers=(1,))
    result = run(names, plan)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["ratios"], indent=1))
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
