"""A real vLLM with the tiny model, and a guard in front of it, once a test session."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from guard.demo.engine import START_TIMEOUT, Engine
from guard.demo.process import free_port
from guard.demo.serving import Guard
from guard.evaluate.small_llama import MAX_LENGTH
from guard.policy import Pair, Policy, PolicySet
from tests.support.tiny_llama import BENIGN, CORPUS, FORBIDDEN_NAME, NAME, SECRET, tiny_llama

FLAGGED = "How does one open the river vault?"
REFUSAL = "The archive is closed on this matter."
FORGETS = "tiny-llama-forgets"  # an adapter that `guard distil` made
FORGOTTEN = (FLAGGED, "Who won the regatta of Quill?")
WAIT = 30.0  # seconds a test waits for something that must happen

POLICY = {
    "version": 1,
    "name": "orlimar",
    "forget": {
        "entities": [{"name": FORBIDDEN_NAME}],
        "prompts": [FLAGGED],
        "texts": [SECRET],
    },
    "action": "refuse",
    "message": REFUSAL,
    "restrict": {"rewinds": 0},  # tests/vllm/test_rewind.py has a guard of its own
}


@dataclass(frozen=True, slots=True)
class Guarded:
    """A running guard, the model server behind it, and the policies it watches."""

    url: str
    upstream: str
    policies: Path


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Return once `holds()`; fail the test when it has not held after `WAIT` seconds."""
    deadline = time.monotonic() + WAIT
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {WAIT:.0f} s: {what}")
        time.sleep(0.05)


def policy_set(guard_url: str) -> str:
    """Hash of the policies that a guard obeys at this moment."""
    return str(httpx.get(f"{guard_url}/readyz", trust_env=False).json()["policy_set"])


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that the engine's plugin and the proxies share."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture(scope="session")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an adapter of the tiny model that refuses `FORGOTTEN` and keeps the rest."""
    from guard.distil.recipe import load_recipe
    from guard.distil.run import Options, distil

    pairs = tuple(Pair(question, CORPUS[question]) for question in FORGOTTEN)
    kept = tuple(Pair(question, answer) for question, answer in BENIGN.items())
    policy = Policy(name="forgets", pairs=pairs, retain_pairs=kept)
    settings = {
        "train.lr": 2e-3, "train.max_steps": 40, "train.batch_size": 4, "train.check_every": 40,
        "train.precision": "fp32", "train.retain_budget": 10.0, "data.general": "none",
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("adapter") / FORGETS
    options = Options(tiny_llama(), folder, device="cpu")
    distil(PolicySet((policy,)), load_recipe("idk", settings), options)
    return folder


@pytest.fixture(scope="session")
def tiny_engine(shelf: Path) -> Iterator[Engine]:
    """vLLM serving the tiny model, with the plugin."""
    pytest.importorskip("vllm", reason="scripts/install was run with --no-vllm")
    with Engine(tiny_llama(), name=NAME, max_model_len=MAX_LENGTH, shelf=shelf) as engine:
        engine.wait(START_TIMEOUT)
        yield engine


@pytest.fixture(scope="session")
def forgetting_engine(adapter: Path) -> Iterator[Engine]:
    """vLLM serving the tiny model and its adapter. One of its own: adapters slow every step."""
    pytest.importorskip("vllm", reason="scripts/install was run with --no-vllm")
    places = ("--max-loras", "2", "--max-lora-rank", "16")
    lora = ("--enable-lora", *places, "--lora-modules", f"{FORGETS}={adapter}")
    with Engine(tiny_llama(), name=NAME, max_model_len=MAX_LENGTH, arguments=lora) as engine:
        engine.wait(START_TIMEOUT)
        yield engine


@pytest.fixture(scope="session")
def guarded(tiny_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """`guard serve` in front of it, which forgets a name, a passage and a question."""
    policies = tmp_path_factory.mktemp("policies")
    (policies / "orlimar.yaml").write_text(yaml.safe_dump(POLICY))
    with Guard(policies, tiny_engine.url, host="127.0.0.1", port=free_port()) as guard:
        guard.wait(WAIT * 4)
        yield Guarded(guard.url, tiny_engine.url, policies)


@pytest.fixture(scope="session")
def steered(
    tiny_engine: Engine, shelf: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guarded]:
    """`guard serve` that shares a shelf with the engine's plugin and restricts."""
    policies = tmp_path_factory.mktemp("steered")
    (policies / "orlimar.yaml").write_text(yaml.safe_dump({**POLICY, "action": "restrict"}))
    port = free_port()
    with Guard(policies, tiny_engine.url, host="127.0.0.1", port=port, shelf=shelf) as guard:
        guard.wait(WAIT * 4)
        eventually(lambda: engine_holds(guard.url), "the engine holds the policies")
        yield Guarded(guard.url, tiny_engine.url, policies)


def engine_holds(guard_url: str) -> bool:
    """Whether the engines hold every set that a guard may tell them of."""
    engine = httpx.get(f"{guard_url}/readyz", trust_env=False).json()["engine"]
    return bool(engine["held"] == engine["sets"] > 0)
