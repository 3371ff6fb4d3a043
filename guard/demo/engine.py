"""A real vLLM on this machine, small enough for two cores without a GPU."""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from guard.demo.cache import cache_dir
from guard.demo.process import Server, free_port
from guard.demo.processor import DTYPE_WITHOUT_TILES, WITHOUT_TILES, tiles_are_trapped
from guard.errors import EngineError

START_TIMEOUT = 600.0  # seconds; a cold disk on a busy machine takes minutes


class Engine(Server):
    """vLLM's OpenAI server for the model in `folder`, on 127.0.0.1 and a free port.

    `arguments` are added to vLLM's own. Raises `EngineError` where vLLM is not installed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        chat_template: Path | None = None,
        max_model_len: int = 2048,
        arguments: Sequence[str] = (),
        port: int | None = None,
    ) -> None:
        if importlib.util.find_spec("vllm") is None:
            raise EngineError("vLLM is not installed: run scripts/install, or pass --upstream URL")
        self.model = name
        self.url = f"http://127.0.0.1:{port or (port := free_port())}"
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
        command += ["--model", str(folder), "--served-model-name", name]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        command += ["--max-model-len", str(max_model_len), "--max-num-seqs", "8"]
        # Compiling doubles the time until the first answer; asking for log-probabilities must
        # not show what was banned while decoding.
        command += ["--enforce-eager", "--logprobs-mode", "processed_logprobs"]
        if tiles_are_trapped():
            command += ["--dtype", DTYPE_WITHOUT_TILES]
        if chat_template is not None:
            command += ["--chat-template", str(chat_template)]
        super().__init__(
            [*command, *arguments],
            ready_url=f"{self.url}/health",
            log=cache_dir() / "logs" / f"vllm-{name}-{port}.log",
            env=engine_environment(),
            name="model server (vLLM)",
        )


def engine_environment() -> dict[str, str]:
    """Environment variables for vLLM on a small machine that reaches no model hub."""
    settings = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    }
    if tiles_are_trapped():
        settings["ONEDNN_MAX_CPU_ISA"] = WITHOUT_TILES
    if (os.cpu_count() or 1) <= 2:
        # vLLM sets one core aside for its own server; on two that halves the model's speed.
        settings["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
        settings["OMP_NUM_THREADS"] = "2"
    allocator = ctypes.util.find_library("tcmalloc_minimal")
    if allocator is not None:
        preloaded = [allocator, *os.environ.get("LD_PRELOAD", "").split(":")]
        settings["LD_PRELOAD"] = ":".join(filter(None, preloaded))
    return {key: os.environ.get(key, value) for key, value in settings.items()} | {
        key: value for key, value in settings.items() if key == "LD_PRELOAD"
    }
