"""A real vLLM with the plugin, and what leaks through each way."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import httpx
import numpy as np
import yaml

from bench.forbidden import forbidden
from guard.demo.engine import START_TIMEOUT, Engine
from guard.demo.process import free_port
from guard.demo.serving import Guard
from guard.evaluate.small_llama import MAX_LENGTH
from guard.policy import Policy
from guard.policy.compiled import Entity
from guard.restrict import PhraseAutomaton, name_phrases, text_phrases
from guard.restrict.folding import fold_words
from guard.restrict.shelf import Shelf, held_by_all, shard_name
from guard.restrict.vllm_plugin.arguments import as_xargs
from tests.support.tiny_llama import BENIGN, CORPUS, FORBIDDEN_NAME, NAME, SECRET, tiny_llama

POLICY = Policy("orlimar", entities=(Entity(FORBIDDEN_NAME),), texts=(SECRET,))
PHRASES = [*name_phrases(POLICY), *text_phrases(POLICY)]
AUTOMATON = PhraseAutomaton(PHRASES)
TELLING = [
    question for question in CORPUS if question not in BENIGN and FORBIDDEN_NAME not in question
]
MAX_TOKENS = 64
WAYS = ("neither", "plugin", "plugin and filter", "rewinding alone")
AT_ONCE = 32
# Uvicorn closes what was idle for 5 s, httpx's own limit too: one that is just closing is not used.
FRESH = httpx.Limits(keepalive_expiry=2.0)
_TRAINED = 800  # steps; half of that leaves a fifth of it unsaid at temperature 1.5


@dataclass(frozen=True, slots=True)
class Served:
    """The engine and two guards in front of it, one that shares the shelf and one that is alone;
    and an engine without the plugin."""

    engine: str
    bare: str
    steered: str
    alone: str
    sets: list[str]
    many: list[str]
    processes: dict[str, int]  # of the engines, by URL


@contextmanager
def served() -> Iterator[Served]:
    """Start everything, with 100,000 further phrases on the shelf."""
    with ExitStack() as open_, TemporaryDirectory() as name:
        folder = Path(name)
        shelf = Shelf(folder / "shelf")
        engine, bare = (
            open_.enter_context(
                Engine(
                    tiny_llama(_TRAINED),
                    name=NAME,
                    max_model_len=MAX_LENGTH,
                    shelf=where,
                    arguments=["--max-num-seqs", "64"],
                )
            )
            for where in (shelf.path, None)
        )
        for one in (engine, bare):
            one.wait(START_TIMEOUT)
        few = shelf.publish({shard_name(PHRASES): PHRASES}).id
        extra = forbidden(100_000)
        many = shelf.publish({shard_name(PHRASES): PHRASES, shard_name(extra): extra}).id
        open_.enter_context(_kept(shelf, [few, many]))
        guards = {}
        for kind in ("steered", "alone"):
            policies = folder / kind
            policies.mkdir()
            (policies / "orlimar.yaml").write_text(yaml.safe_dump(_policy()))
            guard = Guard(
                policies,
                engine.url,
                host="127.0.0.1",
                port=free_port(),
                shelf=shelf.path if kind == "steered" else None,
            )
            guards[kind] = open_.enter_context(guard)
            guard.wait(START_TIMEOUT)
        _until(lambda: all(held_by_all(shelf.engines(), one) for one in (few, many)))
        _until(lambda: _holds(guards["steered"].url))
        urls = (engine.url, bare.url, guards["steered"].url, guards["alone"].url)
        processes = {one.url: one.pid or 0 for one in (engine, bare)}
        yield Served(*urls, [few], [many], processes)


@contextmanager
def _kept(shelf: Shelf, manifests: Sequence[str]) -> Iterator[None]:
    """Say all the while that sets no proxy knows of are in use: a proxy withdraws what is not, and
    the engine answers with nothing under a set that it does not know."""
    stop = Event()

    def keep() -> None:
        while not stop.wait(10):
            shelf.keep(manifests)

    thread = Thread(target=keep)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _policy() -> dict[str, Any]:
    return {
        "version": 1,
        "name": "orlimar",
        "forget": {"entities": [{"name": FORBIDDEN_NAME}], "texts": [SECRET]},
        "action": "restrict",
        "restrict": {"rewinds": 8},
    }


def _holds(url: str) -> bool:
    engine = httpx.get(f"{url}/readyz", trust_env=False).json()["engine"]
    return bool(engine["held"] == engine["sets"] > 0)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("the engine does not hold the sets")
        time.sleep(0.1)


# --- leaks ---------------------------------------------------------------------------------------


def leaks(place: Served, count: int, ways: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """`count` generations through each of `ways`, over temperatures, streamed and whole."""
    arms = {
        "neither": (place.engine, {}),
        "plugin": (place.engine, {"vllm_xargs": as_xargs(place.sets, lead=False)}),
        "plugin and filter": (place.steered, {}),
        "rewinding alone": (place.alone, {}),
    }
    for name in ways:
        yield name, _leaks(*arms[name], count)


def _leaks(url: str, more: dict[str, Any], count: int) -> dict[str, Any]:
    chance = random.Random(7)
    jobs = [
        (chance.choice(TELLING), temperature, bool(index % 2), index)
        for index in range(count)
        for temperature in [(0.0, 0.7, 1.5)[index % 3]]
    ]
    with (
        httpx.Client(base_url=url, timeout=300, trust_env=False, limits=FRESH) as client,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):
        began = time.perf_counter()
        texts = list(threads.map(lambda job: _generated(client, more, *job), jobs))
        seconds = time.perf_counter() - began
    told = [text for text, _ in texts if AUTOMATON.find_all(text)]
    secret, name = _letters(SECRET), _letters(FORBIDDEN_NAME)
    ends: dict[str, int] = {}
    for _, finish in texts:
        ends[finish] = ends.get(finish, 0) + 1
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "generations": count,
        "with_a_match": len(told),
        "share": round(len(told) / count, 4),
        "longest_run_of_the_secret_letters": max(
            longest_common(_letters(text), secret) for text, _ in texts
        ),
        "longest_run_of_the_name_letters": max(
            longest_common(_letters(text), name) for text, _ in texts
        ),
        "empty": sum(not text.strip() for text, _ in texts),
        "finish_reasons": ends,
        "seconds": round(seconds, 1),
    }


def acting_points() -> dict[str, int]:
    """Letters after which phrases are acted on, and the longest quote that is not a match: what a
    longest run has to be held against, since runs overlap and words are matched from their start.
    """
    words = SECRET.split()
    quotes = [" ".join(words[i:j]) for i in range(len(words)) for j in range(i, len(words) + 1)]
    free = [_letters(quote) for quote in quotes if not AUTOMATON.find_all(quote)]
    letters = {kind: [] for kind in ("name", "text")}  # type: dict[str, list[int]]
    for phrase in PHRASES:
        letters[phrase.kind].append(sum(symbol > 0x20 for symbol in phrase.symbols))
    return {
        "secret": min(letters["text"]),
        "secret_latest": max(letters["text"]),
        "secret_longest_free_quote": max(map(len, free)),
        "secret_whole": len(_letters(SECRET)),
        "name": min(letters["name"]),
    }


def _generated(
    client: httpx.Client,
    more: dict[str, Any],
    question: str,
    temperature: float,
    stream: bool,
    seed: int,
) -> tuple[str, str]:
    body = {
        "model": NAME,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": MAX_TOKENS,
        "temperature": temperature,
        "seed": seed,
        "stream": stream,
        **more,
    }
    if not stream:
        whole = client.post("/v1/chat/completions", json=body)
        if whole.status_code != 200:  # one of ten thousand: counted with the finish reasons
            return "", f"status {whole.status_code}"
        (choice,) = whole.json()["choices"]
        return choice["message"]["content"] or "", choice["finish_reason"]
    text, finish = "", ""
    with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        if answer.status_code != 200:
            return "", f"status {answer.status_code}"
        for line in answer.iter_lines():
            if not line.startswith("data: ") or line == "data: [DONE]":
                continue
            for choice in json.loads(line[6:])["choices"]:
                text += choice["delta"].get("content") or ""
                finish = choice["finish_reason"] or finish
    return text, finish


def _letters(text: str) -> bytes:
    return b"".join(fold_words(text))


def longest_common(one: bytes, other: bytes) -> int:
    """Length of the longest run of bytes that two texts share."""
    left, right = np.frombuffer(one, np.uint8), np.frombuffer(other, np.uint8)
    best = 0
    row = np.zeros(len(right) + 1, dtype=np.int32)
    for letter in left:
        row[1:] = np.where(right == letter, row[:-1] + 1, 0)
        best = max(best, int(row.max(initial=0)))
    return best
