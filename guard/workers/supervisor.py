"""The parent's part: it starts the hub, keeps it alive, and ends it last."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from guard.config import Settings
from guard.errors import ConfigError, DetectorError, GuardError
from guard.policy import PolicyStore, Progress
from guard.workers import rows
from guard.workers.hub_process import First, main
from guard.workers.messages import packed_set
from guard.workers.place import ENVIRONMENT, Place

log = logging.getLogger("guard.workers")

APP = "guard.workers.entry:app"
"""What uvicorn imports in every worker (a factory)."""

_METRICS = "PROMETHEUS_MULTIPROC_DIR"
_LONGEST_SOCKET_PATH = 100  # bytes; macOS allows 103, Linux 107
_LOOK_SECONDS = 0.5
_AGAIN_SECONDS = 1.0
_END_SECONDS = 20.0


@contextmanager
def shared_services(
    settings: Settings,
    policies: Path,
    *,
    workers: int,
    log_level: str,
    progress: Progress | None = None,
) -> Iterator[str]:
    """Everything that workers share, until the end of the block; gives their import string.

    Raises PolicyError, ConfigError or DetectorError, as a single worker would.
    """
    first = PolicyStore(policies, progress=progress).current
    place = Place(Path(tempfile.mkdtemp(prefix="guard-")))
    try:
        if len(os.fsencode(place.socket)) > _LONGEST_SOCKET_PATH:
            raise ConfigError(
                f"{place.directory}: too long for a socket; set TMPDIR to a shorter one"
            )
        place.furnish(settings, policies, log_level)
        rows.create(place.rows, workers, settings.keys)
        # Before any child: prometheus_client decides at its import where it counts.
        os.environ[_METRICS] = str(place.metrics)
        os.environ[ENVIRONMENT] = str(place.directory)
        hub = HubProcess(place)
        try:
            hub.start((first.hash, packed_set(first)), progress)
            with hub.kept_alive():
                yield APP
        finally:
            hub.stop()
    finally:
        os.environ.pop(_METRICS, None)
        os.environ.pop(ENVIRONMENT, None)
        shutil.rmtree(place.directory, ignore_errors=True)


class HubProcess:
    """The hub as a child. It ends when its control pipe does, so also when this process dies."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._process: SpawnProcess | None = None
        self._control: Connection | None = None

    def start(self, first: First | None = None, progress: Progress | None = None) -> None:
        """Return once the hub serves. Raises ConfigError or DetectorError when it cannot."""
        spawn = multiprocessing.get_context("spawn")
        self._control, theirs = spawn.Pipe()
        self._process = spawn.Process(
            target=main, args=(theirs, self._place, first), name="guard-hub"
        )
        self._process.start()
        theirs.close()
        log.info("hub: process %d", self._process.pid)
        try:
            while (message := self._control.recv()) is not None:
                if isinstance(message, Exception):
                    raise message
                if progress is not None:
                    progress(*message)
        except EOFError:
            raise DetectorError("the hub ended while it started") from None

    def stop(self) -> None:
        """End the hub: it waits for workers that still talk to it, a few seconds."""
        if self._process is None or self._control is None:
            return
        self._control.close()
        self._process.join(_END_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Start the hub again whenever it ends, until the end of the block."""
        over = threading.Event()
        watching = threading.Thread(target=self._watch, args=(over,), name="hub-watch")
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()

    def _watch(self, over: threading.Event) -> None:
        while not over.is_set():
            assert self._process is not None
            if not wait([self._process.sentinel], _LOOK_SECONDS):
                continue
            self._process.join()
            log.error("the hub ended with %s; starting another", self._process.exitcode)
            try:
                self.stop()
                self.start()
            except (GuardError, OSError) as error:
                log.error("the hub cannot start: %s", error)
                over.wait(_AGAIN_SECONDS)
