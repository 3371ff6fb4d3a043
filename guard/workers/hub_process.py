"""The process that the hub runs in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop
from prometheus_client.multiprocess import mark_process_dead

from classifiers import Nearest
from guard.errors import ConfigError, DetectorError
from guard.policy import PolicySet
from guard.serving import LocalServices
from guard.workers.hub import Hub
from guard.workers.messages import unpacked_set
from guard.workers.place import Place

First = tuple[str, list[list[Any]]]
"""A set to build before the first worker asks: its hash, and what the encoder needs of it."""

_SWEEP_SECONDS = 5.0


def main(control: Connection, place: Place, first: First | None) -> None:
    """Serve until `control` says so or its other end is gone.

    Sends on `control`: progress as tuples, then None when ready, or the error that forbids it.
    """
    # Signals often go to the whole group; the hub outlives the workers and waits for `control`.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    start = place.start()
    logging.basicConfig(
        level=start.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    reporter = _Reporter(control)
    try:
        services = LocalServices(start.settings, progress=reporter)
        held = None if first is None else services.build_nearest(unpacked_set(first[1]))
    except (ConfigError, DetectorError) as error:
        control.send(error)
        return
    reporter.open = False
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(control, place, services, None if first is None else (first[0], held)))
    # The last one out: the parent does the same, unless it was killed.
    shutil.rmtree(place.directory, ignore_errors=True)


class _Reporter:
    """Passes progress on while the parent waits for it."""

    def __init__(self, control: Connection) -> None:
        self.open = True
        self._control = control

    def __call__(self, label: str, done: int, total: int) -> None:
        if self.open:
            self._control.send((label, done, total))


async def _serve(
    control: Connection,
    place: Place,
    services: LocalServices,
    held: tuple[str, Nearest | None] | None,
) -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.remove_reader(control.fileno())
        over.set()

    loop.add_reader(control.fileno(), end)
    hub = Hub(services)
    if held is not None:
        hub.hold(*held)
    async with services.running(PolicySet()), hub.listening(place.socket):
        with contextlib.suppress(BrokenPipeError):
            control.send(None)
        while not over.is_set():
            forget_dead(place.metrics)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SWEEP_SECONDS):
                    await over.wait()


def forget_dead(metrics: Path) -> None:
    """Take the live gauges of processes that ended out of the shared metrics."""
    for file in metrics.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(metrics))  # type: ignore[no-untyped-call]
        except PermissionError:
            continue
