"""Servers that run beside the demo: started on a free port, watched, and surely ended."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import httpx

from guard.errors import EngineError

_POLL = 0.1  # seconds between two looks at a server that is starting
_GRACE = 10.0  # seconds a server may take to end by itself
_LAST_LINES = 25

Tick = Callable[[float], None]


def free_port() -> int:
    """A TCP port that nobody listens on at 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A child process in a group of its own, which a `with` block starts and always ends.

    `ready_url` answers 200 once it serves. Output goes to the file `log`, written anew.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        ready_url: str,
        log: Path,
        env: Mapping[str, str] | None = None,
        name: str = "server",
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._ready_url = ready_url
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process; `wait` tells when it serves. Raises `EngineError`."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        atexit.register(self.stop)
        try:
            with self.log.open("wb") as output:
                self._process = subprocess.Popen(
                    self._command,
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise EngineError(f"The {self.name} cannot be started: {error}") from error

    def wait(self, timeout: float, tick: Tick = lambda seconds: None) -> float:
        """Seconds until it was ready. `tick` is called meanwhile with the seconds so far.

        Raises `EngineError` with the end of the log when it dies or is not ready after `timeout`
        seconds.
        """
        began = time.monotonic()
        with httpx.Client(timeout=5.0, trust_env=False) as client:
            while (waited := time.monotonic() - began) < timeout:
                if not self.alive:
                    raise EngineError(self._obituary(f"The {self.name} ended while starting"))
                with contextlib.suppress(httpx.TransportError):
                    if client.get(self._ready_url).status_code == 200:
                        return waited
                tick(waited)
                time.sleep(_POLL)
        raise EngineError(self._obituary(f"The {self.name} was not ready after {timeout:.0f} s"))

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process id, which is its group's too; None before `start` and after `stop`."""
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        """End the process and everything it started; again is harmless."""
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        # Whatever is left of the group: workers whose parent died before it could end them.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _obituary(self, what: str) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        return "\n".join([f"{what}. The end of {self.log}:", *lines])


@contextlib.contextmanager
def signals_end_the_block() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind the block, so that its servers are ended; exit code 128 + n."""

    def unwind(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {n: signal.signal(n, unwind) for n in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
