"""Memory that runs out, wherever it does, ends in an error that says what to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from guard.distil.errors import DistilError
from guard.distil.run import Options, distil
from tests.distil.conftest import policy_set
from tests.distil.test_run import _recipe


@pytest.mark.parametrize(
    ("where", "what", "message"),
    [
        ("guard.distil.run.load_model", torch.OutOfMemoryError("CUDA"), "is loaded"),
        ("guard.distil.run.load_model", MemoryError(), "is loaded"),
        ("guard.distil.run.build_data", MemoryError(), r"train\.batch_size"),
        ("guard.distil.probe.mean_loss", RuntimeError("[enforce fail] DefaultCPUAllocator: can't "
         "allocate memory: you tried to allocate 4 bytes"), r"train\.batch_size"),
        ("guard.distil.stepper.AxisStepper.step", torch.OutOfMemoryError("CUDA"),
         r"train\.batch_size"),
        ("guard.distil.run.write_result", OSError(12, "Cannot allocate memory"), "halve"),
    ],
    ids=["load", "load on the CPU", "data", "look on the CPU", "step", "writing"],
)  # fmt: skip
def test_out_of_memory_says_what_to_change(
    random_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str,
    what: Exception, message: str,
) -> None:  # fmt: skip
    def exhausted(*_: Any) -> None:
        raise what

    monkeypatch.setattr(where, exhausted)
    with pytest.raises(DistilError, match=f"out of memory.*{message}"):
        distil(policy_set(), _recipe(train={"max_steps": 1}), Options(random_llama, tmp_path / "o"))


def test_other_errors_are_not_taken_for_a_lack_of_memory(
    random_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr("guard.distil.run.load_model", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        distil(policy_set(), _recipe(), Options(random_llama, tmp_path / "out"))
