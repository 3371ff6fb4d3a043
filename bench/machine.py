"""What a result was measured on, and small helpers that the benchmarks share."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import socket
import statistics
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """CPU model, cores this process may use, memory, operating system, Python, date, load."""
    cpu = platform.processor() or platform.machine()
    memory = None
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
        total = Path("/proc/meminfo").read_text().split(maxsplit=2)[1]
        memory = round(int(total) / 2**20, 1)
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gib": memory,
        "system": platform.platform(),
        "python": platform.python_version(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        # Above the core count, other work was taking part of the machine.
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Installed version of each package; None when it is missing."""
    found: dict[str, str | None] = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def free_port() -> int:
    """A port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def median_of(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The median over rounds of every number, nested as in one round."""
    result: dict[str, Any] = {}
    for key, value in rounds[0].items():
        column = [one[key] for one in rounds if key in one]
        if isinstance(value, dict):
            result[key] = median_of(column)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            result[key] = round(statistics.median(column), 4)
    return result
