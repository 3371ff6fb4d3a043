"""A worker's connection to the hub: many calls at once, and a new connection when one is lost."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from guard.errors import DetectorError
from guard.workers.frames import FrameError, FrameReader, frame
from guard.workers.messages import CANCEL, raised

log = logging.getLogger("guard.workers")

CHUNK = 1 << 18  # bytes read at once
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 1.0  # seconds between attempts to connect


class HubClient:
    """Calls on the hub at `path`. While there is no hub every call fails at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._ids = itertools.count()
        self.connected = asyncio.Event()
        self.lost = asyncio.Event()  # of the present connection; the next one has its own

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connected, and connected again, until the end of the block."""
        connecting = asyncio.create_task(self._stay_connected())
        try:
            yield
        finally:
            connecting.cancel()
            await asyncio.wait({connecting})

    async def call(self, operation: str, *arguments: Any) -> Any:
        """The hub's answer, or the error that the hub met with. Cancelling reaches the hub.

        Raises DetectorError when the hub cannot be reached or goes before it has answered.
        """
        if self._writer is None:
            raise DetectorError("the hub cannot be reached")
        number = next(self._ids)
        try:
            data = frame([number, operation, arguments])
        except FrameError as error:
            raise DetectorError(str(error)) from None
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._writer.write(data)
            return await answer
        except asyncio.CancelledError:
            if number in self._waiting and self._writer is not None:
                self._writer.write(frame([number, CANCEL, []]))
            raise
        finally:
            self._waiting.pop(number, None)

    async def _stay_connected(self) -> None:
        wait = _FIRST_WAIT
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path)
            except OSError:
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
                continue
            wait = _FIRST_WAIT
            self._writer = writer
            self.lost = asyncio.Event()
            self.connected.set()
            try:
                await self._listen(reader)
            except (FrameError, OSError) as error:
                log.error("the hub's connection failed: %s", error)
            finally:
                self._give_up(writer)
            log.warning("the hub is gone; connecting again")
            await asyncio.sleep(wait)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        frames = FrameReader()
        while data := await reader.read(CHUNK):
            for number, good, result in frames.feed(data):
                answer = self._waiting.pop(number, None)
                if answer is None or answer.done():
                    continue  # given up meanwhile
                if good:
                    answer.set_result(result)
                else:
                    answer.set_exception(raised(*result))

    def _give_up(self, writer: asyncio.StreamWriter) -> None:
        self._writer = None
        self.connected.clear()
        self.lost.set()
        writer.close()
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(DetectorError("the hub went away"))
