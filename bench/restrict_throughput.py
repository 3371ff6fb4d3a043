"""What the plugin takes of an engine's throughput, told to less than a percent.

Requests over HTTP to two engines side by side swing by a quarter: processes wait for each other by
spinning. So here both engines live in this process, on one thread, without a server; they generate
the same in short turns, in an order that is drawn anew for each round, and what counts is a round's
ratio, of which there are many. The scheduler, the batches, the model and the sampler are vLLM's.

    python -m bench.restrict_throughput FOLDER [--rounds 200] [--rows 64] [--tokens 32]  # JSON
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from bench.forbidden import forbidden
from bench.restrict_benign import mean_ratio
from bench.restrict_engine import PHRASES
from guard.demo.engine import PLUGIN, engine_environment
from guard.evaluate.small_llama import prompt_of
from guard.restrict.shelf import Shelf, held_by_all, shard_name
from guard.restrict.vllm_plugin.arguments import as_xargs
from tests.support.tiny_llama import BENIGN

_BARE = "no plugin"
_WARM = 3  # rounds that do not count
_HELD_WITHIN = 300.0


class _Turn(NamedTuple):
    tokens_a_second: float
    tokens_a_cpu_second: float
    said: list[list[int]]


def throughput(folder: Path, *, rounds: int, rows: int, tokens: int) -> dict[str, Any]:
    """Of the model in `folder`, in a process of its own: vLLM reads its settings once."""
    own = {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
    }
    sizes = {"--rounds": rounds, "--rows": rows, "--tokens": tokens}
    command = [sys.executable, "-m", "bench.restrict_throughput", str(folder)]
    made = subprocess.run(
        [*command, *(str(word) for size in sizes.items() for word in size)],
        env={**os.environ, **engine_environment(), **own},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(made.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=32, help="of a row, at most")
    asked = parser.parse_args()
    with TemporaryDirectory() as place:
        print(json.dumps(_measured(asked, Path(place))))


def _measured(asked: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Tokens a second of every arm, and each round's ratio to the bare engine."""
    folder, rows = asked.folder, asked.rows
    shelf = Shelf(place / "shelf")
    os.environ["GUARD_SHELF"] = str(shelf.path)
    bare, steered = _engine(folder, rows), _engine(folder, rows, logits_processors=[PLUGIN])
    few = shelf.publish({shard_name(PHRASES): PHRASES}).id
    extra = forbidden(100_000)
    many = shelf.publish({shard_name(PHRASES): PHRASES, shard_name(extra): extra}).id
    _wait_until_held(shelf, [few, many])
    arms: dict[str, tuple[Any, dict[str, Any]]] = {
        _BARE: (bare, {}),
        "no sets": (steered, {}),
        "sets": (steered, as_xargs([few], lead=False)),
        "100,000 phrases more": (steered, as_xargs([many], lead=False)),
    }
    found: dict[str, list[_Turn]] = {name: [] for name in arms}
    differ = dict.fromkeys(arms, 0)
    draw = random.Random(5)
    for turn in range(asked.rounds + _WARM):
        shelf.keep([few, many])
        prompts = [prompt_of(question) for question in islice(cycle(BENIGN), turn, turn + rows)]
        for name in draw.sample(list(arms), len(arms)):
            found[name].append(_turn(*arms[name], prompts, asked.tokens))
        for name, turns in found.items():
            pairs = zip(turns[-1].said, found[_BARE][-1].said, strict=True)
            differ[name] += sum(one != other for one, other in pairs)
    counted = {name: turns[_WARM:] for name, turns in found.items()}
    return {"rows": rows, "rows_that_differ": differ, **_summary(counted)}


def _engine(folder: Path, rows: int, **more: Any) -> Any:
    from vllm import LLM
    from vllm.triton_utils import dispatcher

    # It reads the attributes of all that has been imported, and numba's LLVM has one whose `vars`
    # is no dict. A server has loaded its kernels before it loads the plugin.
    dispatcher.vars = lambda one: found if isinstance(found := vars(one), dict) else {}  # type: ignore[attr-defined]
    return LLM(
        str(folder),
        enforce_eager=True,
        max_model_len=128,
        max_num_seqs=rows,
        dtype="float32",
        disable_log_stats=True,
        enable_prefix_caching=False,
        distributed_executor_backend="uni",
        **more,
    )


def _wait_until_held(shelf: Shelf, sets: Sequence[str]) -> None:
    deadline = time.monotonic() + _HELD_WITHIN
    while not all(held_by_all(shelf.engines(), one) for one in sets):
        if time.monotonic() > deadline:
            raise TimeoutError("the engine does not hold the sets")
        shelf.keep(sets)
        time.sleep(0.2)


def _turn(engine: Any, xargs: dict[str, Any], prompts: Sequence[str], tokens: int) -> _Turn:
    """What a full batch took, and the tokens of every row."""
    from vllm import SamplingParams

    params = SamplingParams(temperature=0, max_tokens=tokens, extra_args=xargs or None)
    began, before = time.perf_counter(), time.process_time()
    answers = engine.generate(prompts, params, use_tqdm=False)
    seconds, spent = time.perf_counter() - began, time.process_time() - before
    said = [list(one.outputs[0].token_ids) for one in answers]
    count = sum(map(len, said))
    return _Turn(count / seconds, count / spent, said)


def _summary(found: Mapping[str, Sequence[_Turn]]) -> dict[str, Any]:
    rates = {name: np.array([one.tokens_a_second for one in v]) for name, v in found.items()}
    costs = {name: np.array([one.tokens_a_cpu_second for one in v]) for name, v in found.items()}
    arms = [name for name in found if name != _BARE]
    ratios = {name: rates[name] / rates[_BARE] for name in arms}
    return {
        "rounds": len(rates[_BARE]),
        "tokens_per_second_p50": {k: round(float(np.median(v)), 1) for k, v in rates.items()},
        "throughput_ratio": {name: mean_ratio(ratios[name]) for name in arms},
        "throughput_ratio_p50": {k: round(float(np.median(v)), 4) for k, v in ratios.items()},
        "of_processor_time": {name: mean_ratio(costs[name] / costs[_BARE]) for name in arms},
    }


if __name__ == "__main__":
    main()
