"""What a worker gets from the hub instead of having it itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from classifiers import Signal
from guard.audit import AuditLog, NoAudit
from guard.config import Settings
from guard.detect import needs_encoder
from guard.errors import DetectorError
from guard.limits import Limits
from guard.policy import PolicySet
from guard.workers import rows
from guard.workers.client import HubClient
from guard.workers.messages import (
    AUDIT,
    DESCRIBED,
    NEAR,
    PREPARE,
    SCORE,
    SIMILAR,
    UnknownSet,
    packed_set,
    unpacked_signals,
)
from guard.workers.place import Place

log = logging.getLogger("guard.workers")

_AUDIT_SECONDS = 10.0
# A worker that starts waits this long for the hub; then it serves, and refuses what needs it.
_START_SECONDS = 10.0
_RETRY_SECONDS = 1.0


class RemoteNearest:
    """Nearest forgotten prompts of one policy set, scored by the hub."""

    def __init__(self, hub: HubClient, policies: PolicySet) -> None:
        self._hub = hub
        self._policies = policies

    async def prepare(self) -> None:
        """Return once the hub can score this set. Raises DetectorError."""
        try:
            await self._hub.call(PREPARE, self._policies.hash, None)
        except UnknownSet:
            await self._hub.call(PREPARE, self._policies.hash, packed_set(self._policies))

    async def score(
        self, texts: Sequence[str], subjects: frozenset[int], *, thorough: bool = False
    ) -> list[Signal]:
        """As `NearestPrompt.score`, with its errors; DetectorError when the hub is lost."""
        return unpacked_signals(await self._call(SCORE, list(texts), sorted(subjects), thorough))

    async def described(
        self, texts: Sequence[str], subjects: frozenset[int], mentioned: frozenset[int]
    ) -> list[Signal]:
        """As `NearestPrompt.described`, with its errors; DetectorError when the hub is lost."""
        arguments = (list(texts), sorted(subjects), sorted(mentioned))
        return unpacked_signals(await self._call(DESCRIBED, *arguments))

    async def similar(self, sentences: Sequence[str], subject: int) -> list[float]:
        """As `NearestPrompt.similar`, with its errors; DetectorError when the hub is lost."""
        found: list[float] = await self._call(SIMILAR, list(sentences), subject)
        return found

    async def _call(self, operation: str, *arguments: Any) -> Any:
        try:
            return await self._hub.call(operation, self._policies.hash, *arguments)
        except UnknownSet:  # the hub is a new one, or had many sets since
            await self.prepare()
            return await self._hub.call(operation, self._policies.hash, *arguments)


class RemoteAudit:
    """The audit log that the hub writes."""

    def __init__(self, hub: HubClient) -> None:
        self._hub = hub

    async def write(self, record: Mapping[str, Any]) -> None:
        """Return once the record is on disk. Raises OSError when it may not be."""
        try:
            async with asyncio.timeout(_AUDIT_SECONDS):
                await self._hub.call(AUDIT, dict(record))
        except DetectorError as error:
            raise OSError(f"the audit log cannot be reached: {error}") from error


class HubServices:
    """A worker's services where there are several. Raises ConfigError when no row is free."""

    def __init__(self, settings: Settings, place: Place) -> None:
        self._hub = HubClient(place.socket)
        self._row = rows.claim(place.rows)
        self.audit: AuditLog = RemoteAudit(self._hub) if settings.audit else NoAudit()
        self.limits = Limits(
            settings.limits.max_in_flight, settings.keys, self._row.table, self._row.number
        )
        self._in_use: RemoteNearest | None = None  # None: its policies have no prompts
        self._prepared = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether the hub is there and holds the set in use."""
        return self._hub.connected.is_set() and self._prepared.is_set()

    def build_nearest(self, policies: PolicySet) -> RemoteNearest | None:
        """The hub's detector of this set; `prepare` has the hub build it."""
        if not needs_encoder(policies):
            return None
        return RemoteNearest(self._hub, policies)

    async def prepare(self, policies: PolicySet) -> None:
        """Have the hub build the detector. Raises DetectorError: the set is not taken over."""
        nearest = self.build_nearest(policies)
        if nearest is not None:
            await nearest.prepare()
        self._in_use = nearest

    async def near_words(self, words: Sequence[str], floor: float) -> Mapping[str, float]:
        """By the hub's encoder."""
        await self._hub.connected.wait()
        found: dict[str, float] = await self._hub.call(NEAR, list(words), floor)
        return found

    @asynccontextmanager
    async def running(self, policies: PolicySet) -> AsyncIterator[None]:
        """Connected to the hub, which holds the set in use whenever it comes back."""
        self._in_use = self.build_nearest(policies)
        async with self._hub.running():
            preparing = asyncio.create_task(self._stay_prepared())
            try:
                async with asyncio.timeout(_START_SECONDS):
                    await self._prepared.wait()
            except TimeoutError:
                log.error("the hub is not ready; what needs it is refused")
            try:
                yield
            finally:
                preparing.cancel()
                await asyncio.wait({preparing})
                self._row.release()

    async def _stay_prepared(self) -> None:
        while True:
            await self._hub.connected.wait()
            lost = self._hub.lost
            try:
                if self._in_use is not None:
                    await self._in_use.prepare()
            except DetectorError as error:
                log.error("the hub cannot prepare the policies: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._prepared.set()
            await lost.wait()
            self._prepared.clear()
