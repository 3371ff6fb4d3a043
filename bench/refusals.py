"""Does the time that a refusal takes tell which rule it was?

    python -m bench.refusals [--count 200]

One proxy with names and prompts and the real encoder. Refusals for a name, for a name in disguise
and for a prompt near a forgotten one are asked for in turn, one at a time on one connection, every
prompt new and of one length, so that no cache answers. `told_apart` is the share of pairs in which
the refusal for a name was the faster one, ties counted half (the area under the curve of the best
guess from one measurement): 0.5 is chance. `told_apart_by_chance` is the same between two halves of
one reason.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from bench.load import percentiles
from bench.machine import machine
from tests.support.proxy import Proxy, chat_body, write_policy
from tests.support.upstream import Reply, ScriptedUpstream, chat_completion

RESULT = Path(__file__).parent / "results" / "refusals.json"
NAME = "Ottoline Varga"
DISGUISED = "OTTOLINE  VARGA"
FORGOTTEN = "Who keeps the lighthouse at Ravensmoor harbour?"
_WORDS = ["please", "today", "kindly", "briefly", "again", "now", "then", "soon", "once", "here"]


def prompts(count: int, seed: int) -> dict[str, list[str]]:
    """New prompts of about one length for each reason."""
    chance = random.Random(seed)

    def tail() -> str:
        return " ".join(chance.choices(_WORDS, k=3)) + f" {chance.randrange(10**6):06d}"

    return {
        "name": [f"Who met {NAME} at the ferry harbour? {tail()}" for _ in range(count)],
        "disguised": [f"Who met {DISGUISED} at ferry harbour? {tail()}" for _ in range(count)],
        "prompt": [f"{FORGOTTEN} {tail()}" for _ in range(count)],
    }


def measure(url: str, count: int, seed: int) -> dict[str, list[float]]:
    """Seconds from sending to the last byte, by reason."""
    asked = prompts(count, seed)
    times: dict[str, list[float]] = {reason: [] for reason in asked}
    chance = random.Random(seed + 1)
    with httpx.Client(base_url=url, timeout=60) as client:
        for number in range(count):
            for reason in chance.sample(sorted(asked), len(asked)):
                started = time.perf_counter()
                answer = client.post("/v1/chat/completions", json=chat_body(asked[reason][number]))
                times[reason].append(time.perf_counter() - started)
                (choice,) = answer.json()["choices"]
                assert choice["finish_reason"] == "content_filter", (reason, asked[reason][number])
    return times


def told_apart(first: Sequence[float], second: Sequence[float]) -> float:
    """The share of pairs in which `first` was faster."""
    faster = sum((a < b) + 0.5 * (a == b) for a in first for b in second)
    return round(faster / (len(first) * len(second)), 4)


def summary(times: dict[str, list[float]]) -> dict[str, Any]:
    """What one can tell from these times."""
    prompt = times["prompt"]
    return {
        "latency_ms": {reason: percentiles(each) for reason, each in times.items()},
        "difference_of_medians_ms": {
            reason: round((statistics.median(each) - statistics.median(prompt)) * 1000, 3)
            for reason, each in times.items()
            if reason != "prompt"
        },
        "told_apart": {
            reason: told_apart(each, prompt) for reason, each in times.items() if reason != "prompt"
        },
        "told_apart_by_chance": told_apart(prompt[::2], prompt[1::2]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="refusals for each reason")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ScriptedUpstream() as upstream:
        upstream.always(Reply.json(chat_completion("A fine day."), delay=0.05))
        write_policy(Path(folder), names=[NAME], prompts=[FORGOTTEN], match={"similarity": 0.6})
        with Proxy(Path(folder), upstream.url) as proxy:
            measure(proxy.url, 20, seed=1)
            times = measure(proxy.url, options.count, seed=2)
    result = {"machine": machine(), "count": options.count, **summary(times)}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
