"""Decode-time forgetting in figures: `python -m bench.restrict`.

Writes bench/results/restrict.json: what the plugin costs a step, what compiling costs, how often
ordinary text loses a token, what leaks through each way, and what benign requests notice. Fluency
is `bench/fluency.py`'s. Nothing is tuned on what is reported: phrases, prompts and text come from
fixed seeds and lists.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from bench.machine import machine
from bench.restrict_cold import cold_steps
from bench.restrict_steps import (
    Model,
    bad_words_costs,
    compile_costs,
    over_blocking,
    step_costs,
)

RESULT = Path(__file__).parent / "results" / "restrict.json"
PARTS = ("steps", "cold", "share", "compile", "blocking", "throughput", "benign", "leaks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--generations", type=int, default=10_000)
    parser.add_argument("--ways", nargs="*", help="ways of `leaks` to measure anew; all")
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5, help="of benign")
    parser.add_argument("--turns", type=int, default=240, help="of throughput on the tiny model")
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    result: dict[str, Any] = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    for part in asked.only:
        print(f"{part} ...", flush=True)
        result[part] = {"machine": machine(), **_measured(part, asked, result.get(part, {}))}
        asked.out.write_text(json.dumps(result, indent=1) + "\n")
        print(json.dumps(result[part], indent=1), flush=True)


def _measured(part: str, asked: argparse.Namespace, before: dict[str, Any]) -> dict[str, Any]:
    if part in ("benign", "leaks"):
        return _of_the_engine(part, asked, before)
    if part == "share":
        return {"rows": _shares()}
    if part == "throughput":
        return _throughput(asked.turns)
    models = _models()
    if part == "steps":
        return {
            "plugin": [row for model in models for row in step_costs(model)],
            "bad_words": [row for model in models for row in bad_words_costs(model)],
        }
    if part == "cold":
        return {"rows": cold_steps(models[1])}
    if part == "compile":
        return {"sets": [compile_costs(model) for model in models]}
    return {"text": over_blocking(models[1], asked.tokens)}


def _of_the_engine(part: str, asked: argparse.Namespace, before: dict[str, Any]) -> dict[str, Any]:
    """What a real vLLM and proxies are needed for. Leaks need no quiet machine, times do."""
    from bench.restrict_benign import benign
    from bench.restrict_engine import WAYS, acting_points, leaks, served

    asked_for = asked.ways or WAYS
    if unknown := set(asked_for) - set(WAYS):
        raise SystemExit(f"no such way: {', '.join(sorted(unknown))}; there are {', '.join(WAYS)}")
    with served() as place:
        if part == "benign":
            return benign(place, asked.rounds)
        ways = dict(before.get("ways", {})) if asked.ways else {}
        for name, found in leaks(place, asked.generations, asked_for):
            print(name, json.dumps(found), flush=True)  # the others take minutes
            ways[name] = found
        return {"acting_points_letters": acting_points(), "ways": ways}


def _shares() -> list[dict[str, Any]]:
    from bench.restrict_share import step_share
    from guard.demo.model import demo_model
    from tests.support.tiny_llama import tiny_llama

    tiny = step_share(tiny_llama(), "tiny-llama", (1, 16, 64, 256))
    return [*tiny, *step_share(demo_model(), "gemma-3-270m", tokens=16)]


def _throughput(turns: int) -> dict[str, Any]:
    from bench.restrict_throughput import throughput
    from guard.demo.model import demo_model
    from tests.support.tiny_llama import tiny_llama

    return {
        # The answers that the tiny model knows end before so many tokens.
        "tiny-llama": throughput(tiny_llama(), rounds=turns, rows=64, tokens=32),
        "gemma-3-270m": throughput(demo_model(), rounds=turns // 10, rows=16, tokens=16),
    }


def _models() -> tuple[Model, Model]:
    from guard.demo.model import demo_model
    from tests.support.tiny_llama import tiny_llama

    return Model(tiny_llama(), "tiny-llama"), Model(demo_model(), "gemma-3-270m")


if __name__ == "__main__":
    main()
