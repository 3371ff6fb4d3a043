"""The plugin imports next to a vLLM that has none of the proxy's dependencies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
REFUSED = (
    "aiohttp", "classifiers", "faiss", "fastapi", "httptools", "openvino", "prometheus_client",
    "rich", "sentence_transformers", "starlette", "typer", "uvicorn", "uvloop", "watchfiles",
    "wordfreq", "yaml",
)  # fmt: skip
SCRIPT = f"""
import importlib.abc, sys

class Refusing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {REFUSED!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Refusing())
for name in sys.argv[1:]:
    __import__(name)
print(*sorted(name for name in sys.modules if name.startswith("guard")))
"""


def imported(*modules: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *modules],
        cwd=ROOT, capture_output=True, text=True, timeout=100,
    )  # fmt: skip


def test_the_plugin_needs_nothing_of_the_proxy() -> None:
    plugin = "guard.restrict.vllm_plugin"
    result = imported(*(f"{plugin}.{part}" for part in ("arguments", "engine", "starting")))
    assert result.returncode == 0, result.stderr
    beside = {name for name in result.stdout.split() if not name.startswith("guard.restrict")}
    assert beside <= {"guard", "guard.errors"}


def test_the_proxy_does_need_them() -> None:
    assert "ModuleNotFoundError" in imported("guard.api.app").stderr


def test_what_imports_vllm_needs_nothing_of_the_proxy_either() -> None:
    # vLLM itself imports some of the refused ones; so its modules are stood in for.
    pytest.importorskip("torch")
    stand_in = (
        "import sys, types\n"
        "m = types.ModuleType('vllm.v1.sample.logits_processor.interface')\n"
        "m.BatchUpdate = m.MoveDirectionality = object\n"
        "for name in ('vllm', 'vllm.v1', 'vllm.v1.sample', 'vllm.v1.sample.logits_processor'):\n"
        "    sys.modules[name] = types.ModuleType(name)\n"
        "sys.modules[m.__name__] = m\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", stand_in + SCRIPT, "guard.restrict.vllm_plugin.v1"],
        cwd=ROOT, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
