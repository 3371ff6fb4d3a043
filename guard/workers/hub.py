"""The hub: scores texts and writes audit records for all workers."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from classifiers import Nearest
from guard.serving import Services
from guard.workers.client import CHUNK
from guard.workers.frames import FrameError, FrameReader, frame
from guard.workers.messages import (
    AUDIT,
    CANCEL,
    DESCRIBED,
    NEAR,
    PREPARE,
    SCORE,
    SIMILAR,
    UnknownSet,
    carried,
    packed_signals,
    unpacked_set,
)

log = logging.getLogger("guard.workers")

_SETS_KEPT = 3  # the set in force, its successor while workers swap, and one for a slow worker


class Hub:
    """Serves `services` over Unix-domain sockets.

    Holds the detectors of the last few sets that workers prepared. `patience`: seconds that the
    last workers have to leave in the end. It reads no policy file: a
    set comes from the worker that wants it, so hub and worker cannot differ in what it says.
    """

    def __init__(self, services: Services, *, patience: float = 10.0) -> None:
        self._services = services
        self._patience = patience
        self._sets: OrderedDict[str, asyncio.Task[Nearest | None]] = OrderedDict()
        self._connections: set[asyncio.Task[None]] = set()
        self._recording: set[asyncio.Task[None]] = set()
        self._operations: dict[str, Callable[..., Coroutine[Any, Any, Any]]] = {
            PREPARE: self._prepare,
            SCORE: self._score,
            SIMILAR: self._similar,
            DESCRIBED: self._described,
            NEAR: self._near,
            AUDIT: self._audit,
        }

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        """Serve at `path` until the end of the block, and then until the last worker has gone.

        Records under way are written to the end, also when no worker waits for them any more.
        """
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._connected, path, limit=CHUNK)
        try:
            yield
        finally:
            server.close()
            if self._connections:
                await asyncio.wait(self._connections, timeout=self._patience)
            for connection in self._connections:
                connection.cancel()
            leaving = self._connections | self._recording
            if leaving:
                await asyncio.wait(leaving)

    def hold(self, set_hash: str, nearest: Nearest | None) -> None:
        """Take in a detector that was built before the loop ran."""

        async def built() -> Nearest | None:
            return nearest

        self._keep(set_hash, asyncio.create_task(built()))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this = asyncio.current_task()
        assert this is not None
        self._connections.add(this)
        calls: dict[int, asyncio.Task[None]] = {}
        frames = FrameReader()
        try:
            while data := await reader.read(CHUNK):
                for number, operation, arguments in frames.feed(data):
                    if operation == CANCEL:
                        if number in calls:
                            calls[number].cancel()
                        continue
                    call = asyncio.create_task(self._answer(writer, number, operation, arguments))
                    calls[number] = call
                    call.add_done_callback(partial(_forget, calls, number))
        except (FrameError, OSError) as error:
            log.error("a worker's connection failed: %s", error)
        finally:
            for call in list(calls.values()):
                call.cancel()
            writer.close()
            self._connections.discard(this)

    async def _answer(
        self, writer: asyncio.StreamWriter, number: int, operation: str, arguments: Sequence[Any]
    ) -> None:
        try:
            answer = [number, True, await self._operations[operation](*arguments)]
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the caller
            log.debug("%s failed: %s", operation, type(error).__name__)
            answer = [number, False, carried(error)]
        writer.write(frame(answer))

    async def _prepare(self, set_hash: str, rows: Sequence[Sequence[Any]] | None) -> None:
        building = self._sets.get(set_hash)
        if building is None:
            if rows is None:
                raise UnknownSet
            policies = unpacked_set(rows)
            building = asyncio.create_task(
                asyncio.to_thread(self._services.build_nearest, policies)
            )
        self._keep(set_hash, building)
        # Whoever asked first may go: the others wait for the same.
        await asyncio.shield(building)

    async def _score(
        self, set_hash: str, texts: Sequence[str], subjects: Sequence[int], thorough: bool
    ) -> list[list[Any]]:
        nearest = await self._nearest(set_hash)
        if nearest is None:
            return []
        return packed_signals(await nearest.score(texts, frozenset(subjects), thorough=thorough))

    async def _described(
        self,
        set_hash: str,
        texts: Sequence[str],
        subjects: Sequence[int],
        mentioned: Sequence[int],
    ) -> list[list[Any]]:
        nearest = await self._nearest(set_hash)
        if nearest is None:
            raise LookupError("the set has nothing to embed")
        found = await nearest.described(texts, frozenset(subjects), frozenset(mentioned))
        return packed_signals(found)

    async def _similar(self, set_hash: str, sentences: Sequence[str], subject: int) -> list[float]:
        nearest = await self._nearest(set_hash)
        if nearest is None:
            raise LookupError("the set has no texts")
        return [float(score) for score in await nearest.similar(sentences, subject)]

    async def _near(self, words: Sequence[str], floor: float) -> dict[str, float]:
        return dict(await self._services.near_words(words, floor))

    async def _nearest(self, set_hash: str) -> Nearest | None:
        building = self._sets.get(set_hash)
        if building is None:
            raise UnknownSet
        return await asyncio.shield(building)

    async def _audit(self, record: dict[str, Any]) -> None:
        # A record under way is finished whoever goes: half of one would break the chain.
        recording = asyncio.ensure_future(self._services.audit.write(record))
        self._recording.add(recording)
        recording.add_done_callback(self._recording.discard)
        await asyncio.shield(recording)

    def _keep(self, set_hash: str, building: asyncio.Task[Nearest | None]) -> None:
        if set_hash not in self._sets:
            building.add_done_callback(lambda done: self._forget_failed(set_hash, done))
        self._sets[set_hash] = building
        self._sets.move_to_end(set_hash)
        while len(self._sets) > _SETS_KEPT:
            self._sets.popitem(last=False)

    def _forget_failed(self, set_hash: str, done: asyncio.Task[Nearest | None]) -> None:
        """The next one who asks tries again."""
        if (done.cancelled() or done.exception()) and self._sets.get(set_hash) is done:
            del self._sets[set_hash]


def _forget(calls: dict[int, asyncio.Task[None]], number: int, done: asyncio.Task[None]) -> None:
    del calls[number]
