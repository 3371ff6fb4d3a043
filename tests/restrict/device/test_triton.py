"""The kernels without a GPU: interpreted, and compiled for one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
pytest.importorskip("triton")

KINDS = {
    "first": "*i32", "labels": "*u8", "accept": "*u8", "code": "*i32", "symbols": "*u8",
    "alternatives": "*i32", "text": "*u8", "starts": "*i32", "special": "*u8", "n_tokens": "i32",
    "slots": "*i32", "places": "*i32", "spare": "*i32", "walked": "*i32", "asked": "*i32",
    "slot_of": "*i32", "history": "*i32", "history_stride": "i32", "total": "*i32",
    "offsets": "*i32", "fed": "*i32", "logits": "*fp32", "stride": "i32", "width": "i32",
    "entry": "*i32", "place": "*i32", "pool": "*i32", "order": "*i32", "continuing": "*i32",
    "n_continuing": "i32", "end": "i32", "soft_tokens": "*i32", "soft_penalties": "*fp32",
}  # fmt: skip


@pytest.mark.parametrize("kernel", ["advance", "walk", "ban", "continue", "settle"])
def test_a_kernel_compiles_for_a_gpu(kernel: str) -> None:
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    from guard.restrict.device import triton_kernels

    function: Any = getattr(triton_kernels, f"{kernel}_kernel")
    signature = {name: KINDS[name] for name in function.arg_names}
    source = ASTSource(function, signature, {})
    warps = 4 if kernel == "settle" else 1
    made = compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})
    assert f"{kernel}_kernel" in made.asm["ptx"]
    assert "st.global" in made.asm["ptx"]


def test_interpreted_kernels_say_what_the_walk_says() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.restrict.device.interpreted"],
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
