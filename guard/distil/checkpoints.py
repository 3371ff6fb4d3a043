"""The state of a run on disk: whole or not there, and only for the run that wrote it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import torch

from guard.distil.errors import DistilError
from guard.distil.memory import is_exhausted

_NAME = "checkpoint.pt"
FORMAT = 3  # part of a run's fingerprint: raise it when a state has other keys


class Checkpoints:
    """One file in the run's working folder, replaced whole. `fingerprint` names the run."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._path = folder / _NAME
        self._fingerprint = fingerprint

    def save(self, state: dict[str, Any]) -> None:
        """Raises `DistilError` when the disk is full or not writable; the old one then stays."""
        scratch = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with scratch.open("wb") as file:
                torch.save({"fingerprint": self._fingerprint, **state}, file)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(self._path)
        except (OSError, RuntimeError) as error:  # torch raises RuntimeError on a short write
            with contextlib.suppress(OSError):
                scratch.unlink(missing_ok=True)
            raise DistilError(f"no checkpoint could be written to {self._path}: {error}") from error

    def load(self) -> dict[str, Any] | None:
        """The last state, or None. Raises `DistilError` when it is another run's, or broken."""
        if not self._path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self._path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError) as error:
            if is_exhausted(error):  # the file is whole
                raise
            raise DistilError(
                f"{self._path} cannot be read; delete its folder to start afresh: {error}"
            ) from error
        if state.pop("fingerprint", None) != self._fingerprint:
            raise DistilError(
                f"{self._path.parent} belongs to a run with other policies, model, recipe or seed; "
                "delete it, or choose another --out"
            )
        return state


def rng_state() -> dict[str, Any]:
    """The global generators' state: dropout draws from them."""
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_rng_state(state: dict[str, Any]) -> None:
    """The inverse of `rng_state`."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
