"""Puts one worker together and keeps its policy set up to date."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import numpy as np

from guard import metrics
from guard.api.auth import Keyring
from guard.api.state import State
from guard.audit import AuditFile, AuditLog, NoAudit
from guard.config import Settings
from guard.detect import BuildNearest, Detector
from guard.enforcement import Enforcement, PhraseCache
from guard.errors import PolicyError
from guard.flow import Flow, InForce
from guard.limits import Limits, table_shape
from guard.nearest import LocalNearest
from guard.policy import PolicySet, PolicyStore, Progress
from guard.upstream import Upstream, UpstreamOptions

log = logging.getLogger("guard.serving")

_REFRESH_SECONDS = 5.0


def upstream_options(settings: Settings) -> UpstreamOptions:
    """The upstream client's options."""
    upstream = settings.upstream
    return UpstreamOptions(
        url=upstream.url,
        api_key=upstream.api_key,
        connect=upstream.connect_timeout,
        first_byte=upstream.first_byte_timeout,
        between=upstream.between_timeout,
        max_answer=upstream.max_answer_bytes,
    )


class Worker:
    """One serving process: its state, and the tasks that keep it current.

    Construction loads and compiles the policies. Raises PolicyError, ConfigError or DetectorError:
    a server does not start on what it cannot enforce.
    """

    def __init__(
        self, settings: Settings, policies: Path, *, progress: Progress | None = None
    ) -> None:
        self._settings = settings
        self._phrases = PhraseCache()
        self._nearest = LocalNearest(settings.detect, progress=progress)
        self._build_nearest: BuildNearest = self._nearest.build
        self._keys = [None, *(key.name for key in settings.keys)]
        store = PolicyStore(policies, progress=progress)
        audit: AuditLog = AuditFile(settings.audit) if settings.audit else NoAudit()
        upstream = Upstream(upstream_options(settings))
        table = np.zeros(table_shape(1, settings.keys), dtype=np.int64)
        self.state = State(
            settings=settings,
            keyring=Keyring(settings.keys),
            limits=Limits(settings.limits.max_in_flight, settings.keys, table, 0),
            upstream=upstream,
            store=store,
            flow=Flow(
                lambda: self.state.current(),
                upstream,
                audit,
                overlap=settings.upstream.overlap == "auto",
            ),
        )
        self._take_over(self._made_ready(store.current))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve: the upstream's pool is open and the policy directory watched."""
        stop = asyncio.Event()
        async with self.state.upstream:
            tasks = [
                asyncio.create_task(
                    self.state.store.watch(stop, on_swap=self._swap, on_reject=self._rejected)
                ),
                asyncio.create_task(self._refresh(stop)),
            ]
            try:
                yield
            finally:
                stop.set()
                await asyncio.gather(*tasks)
                self._nearest.close()

    def _made_ready(self, policies: PolicySet) -> InForce:
        enforcement = Enforcement(policies, self._phrases)
        enforcement.prepare(self._keys)
        detector = Detector(
            enforcement, self._build_nearest(policies), timeout=self._settings.detect.timeout
        )
        return InForce(enforcement, detector)

    async def _swap(self, policies: PolicySet) -> None:
        """A new set: compile and embed off the loop, then let new requests see it."""
        ready = await asyncio.to_thread(self._made_ready, policies)
        self._take_over(ready)
        self._phrases.keep_only(policies.policies)
        metrics.RELOADS.labels("swapped").inc()

    def _take_over(self, ready: InForce) -> None:
        previous = self.state.in_force
        self.state.in_force = ready
        policies = ready.enforcement.policies
        overdue = sum(policy.is_overdue(date.today()) for policy in policies.policies)
        metrics.set_in_force(
            ready.enforcement.hash,
            previous.enforcement.hash if previous else None,
            len(policies),
            overdue,
        )

    def _rejected(self, error: PolicyError) -> None:
        metrics.RELOADS.labels("rejected").inc()

    async def _refresh(self, stop: asyncio.Event) -> None:
        """Copy the encoder's counters to the metrics now and then."""
        while not stop.is_set():
            counters = self._nearest.counters
            metrics.ENCODER_QUEUE.set(counters.queued)
            metrics.ENCODER_TEXTS.set(counters.texts)
            metrics.ENCODER_CACHE_HITS.set(counters.cache_hits)
            metrics.ENCODER_BUSY_SECONDS.set(counters.busy_seconds)
            try:
                async with asyncio.timeout(_REFRESH_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue
