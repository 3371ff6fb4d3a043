"""The processes of a run: the model server, the guard as operators start it, and their clock."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.faults.scenes import FORGOTTEN, NAME, REASONED
from bench.machine import free_port
from tests.support.policies import PASSAGE, SECRET
from tests.support.proxy import write_policy
from tests.workers.served import Served, family

SETTINGS = {
    "upstream": {"connect_timeout": 2.0, "first_byte_timeout": 5.0, "between_timeout": 5.0},
    "detect": {"timeout": 5.0},
    "limits": {"max_in_flight": 4096},
}
GUIDE_SECONDS = 3.0
_START_SECONDS = 30.0


class ModelServer:
    """`bench.faults.model`, which can be killed and started again at the same address."""

    def __init__(self, spacing: float) -> None:
        self._spacing = spacing
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "bench.faults.model", "--port", str(self._port)]
        process = subprocess.Popen([*command, "--spacing", str(self._spacing)])
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{self.url}/v1/models", timeout=1).close()
                return process
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise RuntimeError("the model server does not start")

    def mode(self, mode: str) -> None:
        """How it behaves from now on."""
        request = urllib.request.Request(f"{self.url}/mode", mode.encode(), method="PUT")
        urllib.request.urlopen(request, timeout=10).close()

    def again(self) -> None:
        """A new one at the same address."""
        self.process.wait()
        self.process = self._started()


class Clock:
    """The wall clock of the guard's processes. `works` is False where there is no C compiler."""

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "offset"
        self._offset.write_bytes(struct.pack("l", 0))
        library = folder / "clock.so"
        source = Path(__file__).with_name("clock.c")
        compiler = shutil.which("cc")
        command = [
            str(compiler),
            "-shared",
            "-fPIC",
            "-O1",
            "-o",
            str(library),
            str(source),
            "-ldl",
        ]
        self.works = bool(compiler) and subprocess.run(command, check=False).returncode == 0
        self.environment = {"LD_PRELOAD": str(library), "GUARD_CLOCK": str(self._offset)}

    def jump(self, seconds: int) -> None:
        """Set the clock so far from the real one."""
        with self._offset.open("r+b") as file:
            file.write(struct.pack("l", seconds))


@dataclass
class Stage:
    """All that a fault may break. `guide` is the guard model's server."""

    model: ModelServer
    guide: ModelServer
    guard: Served
    clock: Clock
    policies: Path
    audit: Path

    def memory(self) -> float:
        """Resident memory of all processes of the guard, shared pages counted once, in MiB."""
        total = 0
        for pid in family(self.guard.process.pid):
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            total += sum(int(line.split()[1]) for line in rollup.splitlines() if "Pss:" in line)
        return round(total / 1024, 1)

    def instructions(self) -> Counter[str]:
        """Where the instructions of reasoned requests came from so far, by the audit log."""
        found: Counter[str] = Counter()
        for line in self.audit.read_bytes().splitlines():
            if b'"instructions"' in line and line.endswith(b"}"):
                found.update(orjson.loads(line)["instructions"])
        return found


@contextmanager
def stage(folder: Path, spacing: float, workers: int) -> Iterator[Stage]:
    """Everything is up, until the end of the block."""
    policies = folder / "policies"
    policies.mkdir()
    reasoned = {"action": "reason", "restrict": {"penalty": 0, "meaning": None}}
    write_policy(policies, "reasoned", names=[REASONED], **reasoned)
    write_policy(policies, "faults", names=[NAME], texts=[SECRET, PASSAGE], prompts=[FORGOTTEN])
    audit = folder / "audit.jsonl"
    clock = Clock(folder)
    model, guide = ModelServer(spacing), ModelServer(spacing)
    asked = {"guard_model": {"url": guide.url, "timeout": GUIDE_SECONDS}}
    try:
        os.environ |= clock.environment if clock.works else {}
        guard = Served(folder, policies, model.url, workers, audit=str(audit), **SETTINGS, **asked)
        for name in clock.environment:
            os.environ.pop(name, None)
        with guard:
            yield Stage(model, guide, guard, clock, policies, audit)
    finally:
        for server in (model, guide):
            server.process.kill()
            server.process.wait()
