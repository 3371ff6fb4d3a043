"""`guard serve --workers N` as an operator runs it: a process with its children."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np
import yaml

from tests.support.proxy import chat_body

# The parent asks each worker whether it lives, and waits a minute for an answer: of one that is
# killed just then it learns no sooner.
REPLACED = 150.0
START = 180.0  # seconds for a server to be there
WAIT = 60.0  # seconds for something that must happen; a busy machine starts processes slowly


def until(condition: Callable[[], Any], what: str, wait: float = WAIT) -> None:
    """Wait for a condition of other processes."""
    deadline = time.monotonic() + wait
    while not condition():
        assert time.monotonic() < deadline, f"timed out: {what}"
        time.sleep(0.05)


class Served:
    """A running server. A context manager; `folder` holds its log, settings and private files."""

    def __init__(
        self, folder: Path, policies: Path, model_url: str, workers: int = 2, **settings: Any
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._log = folder / "serve.log"
        config = folder / "settings.yaml"
        config.write_text(yaml.safe_dump(settings))
        command = [sys.executable, "-c", "from guard.cli.main import main; main()", "serve"]
        command += ["--policies", str(policies), "--upstream", model_url, "--config", str(config)]
        command += ["--port", str(self.port), "--workers", str(workers)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, "TMPDIR": str(folder)}
            )
        self._workers = workers

    def __enter__(self) -> Self:
        try:
            until(self._started, "started", START)
        except AssertionError:
            self.process.kill()
            raise
        return self

    def _started(self) -> bool:
        assert self.process.poll() is None, self.log
        return len(self.workers) == self._workers and self.ready()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pid in (*self.workers, self.hub):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(WAIT)
        finally:
            self.process.kill()

    @property
    def log(self) -> str:
        """What all its processes have said."""
        return self._log.read_text()

    @property
    def workers(self) -> list[int]:
        """The process numbers of the workers that live."""
        started = re.findall(r"Started server process \[(\d+)", self.log)
        return [int(pid) for pid in started if alive(int(pid))]

    @property
    def hub(self) -> int:
        """The process number of the latest hub."""
        return int(re.findall(r"hub: process (\d+)", self.log)[-1])

    @property
    def place(self) -> Path:
        """The directory in which its processes meet."""
        (found,) = self._folder.glob("guard-*")
        return found

    def in_flight(self) -> list[int]:
        """Requests in flight, a number for each row of the limits."""
        table = np.load(self.place / "rows" / "table.npy", mmap_mode="r")
        return [int(count) for count in table[:, 0]]

    def ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=WAIT).status_code == 200
        except httpx.TransportError:
            return False

    def chat(self, prompt: str, key: str | None = None) -> httpx.Response:
        """Ask on a connection of its own: any worker may take it."""
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        url = f"{self.url}/v1/chat/completions"
        return httpx.post(url, json=chat_body(prompt), headers=headers, timeout=WAIT)

    @contextmanager
    def only(self, worker: int) -> Iterator[None]:
        """Requests can reach no other worker: the others are stopped meanwhile."""
        others = [pid for pid in self.workers if pid != worker]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def family(pid: int) -> set[int]:
    """A process with everything that it started, and what those started."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = stat.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, waiting = set(), [pid]
    while waiting:
        one = waiting.pop()
        found.add(one)
        waiting += children.get(one, [])
    return found
