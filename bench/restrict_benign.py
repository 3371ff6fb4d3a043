"""What benign requests notice of the plugin: answers, throughput, processor time a token."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import httpx
import numpy as np
from scipy.stats import t as student

from bench.processor_time import processor_seconds
from bench.restrict_engine import AT_ONCE, FRESH, MAX_TOKENS, Served
from guard.evaluate.small_llama import prompt_of
from guard.restrict.vllm_plugin.arguments import as_xargs
from tests.support.tiny_llama import BENIGN, NAME

_PASSES = 40  # over the benign questions, of one arm in one round
_QUIET_SECONDS = 3.0
_BARE = "no plugin"


class _Round(NamedTuple):
    tokens_a_second: float
    processor_us_a_token: float
    wrong: int


def benign(place: Served, rounds: int) -> dict[str, Any]:
    """The same benign requests to an engine without the plugin, and to one that has it, with and
    without sets.

    Two engines share the cores, and one that has just answered goes on spinning: before an arm is
    timed all is quiet for a while and a pass is made that does not count; the arms' order is drawn
    anew in every round."""
    arms: dict[str, tuple[str, dict[str, Any]]] = {
        _BARE: (place.bare, {}),
        "no sets": (place.engine, {}),
        "sets": (place.engine, {"vllm_xargs": as_xargs(place.sets, lead=False)}),
        "100,000 phrases more": (place.engine, {"vllm_xargs": as_xargs(place.many, lead=False)}),
    }
    found: dict[str, list[_Round]] = {name: [] for name in arms}
    with (
        httpx.Client(timeout=300, trust_env=False, limits=FRESH) as client,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):
        chance = random.Random(3)
        for turn in range(rounds + 1):
            for name in chance.sample(list(arms), len(arms)):
                url, more = arms[name]
                one = _round(threads, partial(_asked, client, url, more), place.processes[url])
                if turn:  # the first is for the caches
                    found[name].append(one)
    return {
        "requests_an_arm": rounds * _PASSES * len(BENIGN),
        "rounds": rounds,
        "answers_that_differ": {k: sum(one.wrong for one in v) for k, v in found.items()},
        **_compared(found),
    }


def _round(threads: ThreadPoolExecutor, ask: Any, process: int) -> _Round:
    time.sleep(_QUIET_SECONDS)
    list(threads.map(ask, list(BENIGN) * 2))
    began, before = time.perf_counter(), processor_seconds(process)
    answers = list(threads.map(ask, list(BENIGN) * _PASSES))
    seconds, spent = time.perf_counter() - began, processor_seconds(process) - before
    tokens = sum(tokens for _, tokens in answers)
    expected = list(BENIGN.values()) * _PASSES
    wrong = sum(text != truth for (text, _), truth in zip(answers, expected, strict=True))
    return _Round(tokens / seconds, 1e6 * spent / tokens, wrong)


def _compared(found: Mapping[str, Sequence[_Round]]) -> dict[str, Any]:
    rates = {k: np.array([one.tokens_a_second for one in v]) for k, v in found.items()}
    costs = {k: np.array([one.processor_us_a_token for one in v]) for k, v in found.items()}
    rate = {k: v / rates[_BARE] for k, v in rates.items()}
    cost = {k: v / costs[_BARE] for k, v in costs.items()}
    return {
        "tokens_per_second_p50": {k: round(float(np.median(v)), 1) for k, v in rates.items()},
        "throughput_ratio": {k: round(float(np.median(v)), 4) for k, v in rate.items()},
        "throughput_ratio_of_each_round": {k: np.round(v, 3).tolist() for k, v in rate.items()},
        "processor_us_per_token_p50": {k: round(float(np.median(v)), 1) for k, v in costs.items()},
        "processor_ratio": {k: mean_ratio(v) for k, v in cost.items()},
        "processor_ratio_of_each_round": {k: np.round(v, 4).tolist() for k, v in cost.items()},
    }


def mean_ratio(ratios: Sequence[float]) -> dict[str, float]:
    """The geometric mean of rounds' ratios and its 95 % interval, by Student's t on their
    logarithms; two rounds at least."""
    logs = np.log(np.asarray(ratios))
    reach = student.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs))
    around = {"mean": 0.0, "low": -reach, "high": reach}
    return {k: round(float(np.exp(logs.mean() + v)), 4) for k, v in around.items()}


def _asked(client: httpx.Client, url: str, more: dict[str, Any], question: str) -> tuple[str, int]:
    body = {
        "model": NAME,
        "prompt": prompt_of(question),
        "max_tokens": MAX_TOKENS,
        "temperature": 0,
        **more,
    }
    answer = client.post(f"{url}/v1/completions", json=body).raise_for_status().json()
    return answer["choices"][0]["text"], answer["usage"]["completion_tokens"]
