"""Puts one worker together and keeps its policy set up to date."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from classifiers import Nearest
from guard import metrics
from guard.api.auth import Keyring
from guard.api.state import State
from guard.audit import AuditFile, AuditLog, NoAudit
from guard.call import InForce
from guard.config import Settings
from guard.detect import Detector
from guard.enforcement import Enforcement, PhraseCache, utc_today
from guard.engine import CanaryWatch, EngineSets
from guard.errors import ConfigError, DetectorError, EngineError, PolicyError
from guard.flow import Flow
from guard.limits import Limits, table_shape
from guard.nearest import LocalNearest
from guard.policy import PolicySet, PolicyStore, Progress
from guard.policy.unbound import unbound_keys
from guard.reasoning.guide import Guide, GuideOptions
from guard.rerouting import Elsewhere, check_reroute
from guard.restrict.shelf import Shelf
from guard.upstream import Upstream, UpstreamOptions

log = logging.getLogger("guard.serving")

_REFRESH_SECONDS = 5.0
_OVERDUE_SECONDS = 600.0


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


def guard_model_options(settings: Settings) -> tuple[UpstreamOptions | None, GuideOptions]:
    """Where the guard model is, None for the model server itself, and how it is asked."""
    told = settings.guard_model
    options = GuideOptions(
        told.model, told.timeout, told.max_tokens, told.max_calls, told.cache_size
    )
    if told.url is None:
        return None, options
    return UpstreamOptions(url=told.url, api_key=told.api_key), options


def rerouting(
    settings: Settings, upstream: Upstream, engine: EngineSets | None
) -> Elsewhere | None:
    """Where flagged requests of `action: reroute` go; None where the settings don't say."""
    told = settings.reroute
    if told.url is None:
        return None if told.model is None else Elsewhere(upstream, told.model, engine)
    options = replace(upstream_options(settings), url=told.url, api_key=told.api_key)
    return Elsewhere(Upstream(options), told.model)


def _shelf(path: Path) -> Shelf:
    try:
        return Shelf(path)
    except EngineError as error:
        raise ConfigError(f"engine.shelf: {error}") from None


class Services(Protocol):
    """What workers share: the encoder, the audit log, the limits. Here, or in another process."""

    audit: AuditLog
    limits: Limits

    def build_nearest(self, policies: PolicySet) -> Nearest | None:
        """The nearest-prompt detector of a set. Raises DetectorError; may be slow."""

    async def prepare(self, policies: PolicySet) -> None:
        """Return once that detector can score. Raises DetectorError: the set is not taken over."""

    async def near_words(self, words: Sequence[str], floor: float) -> Mapping[str, float]:
        """Words of general English near some others, with their cosines. Raises DetectorError;
        slow."""

    def running(self, policies: PolicySet) -> AbstractAsyncContextManager[None]:
        """While the worker serves, beginning with these policies."""


class LocalServices:
    """All of it in this process. Raises ConfigError when the audit log cannot be written."""

    def __init__(self, settings: Settings, *, progress: Progress | None = None) -> None:
        table = np.zeros(table_shape(1, settings.keys), dtype=np.int64)
        self._log = AuditFile(settings.audit) if settings.audit else None
        self.audit: AuditLog = self._log or NoAudit()
        self.limits = Limits(settings.limits.max_in_flight, settings.keys, table, 0)
        self._nearest = LocalNearest(settings.detect, progress=progress)

    def build_nearest(self, policies: PolicySet) -> Nearest | None:
        """Embeds the set's prompts, those that are new."""
        return self._nearest.build(policies)

    async def prepare(self, policies: PolicySet) -> None:
        """What was built is ready."""

    async def near_words(self, words: Sequence[str], floor: float) -> Mapping[str, float]:
        """By this process's encoder, on a thread."""
        return await asyncio.to_thread(self._nearest.near_words, words, floor)

    @asynccontextmanager
    async def running(self, policies: PolicySet) -> AsyncIterator[None]:
        """Reports the encoder's counters; ends its thread in the end."""
        stop = asyncio.Event()
        reporting = asyncio.create_task(self._report(stop))
        try:
            yield
        finally:
            stop.set()
            await reporting
            self._nearest.close()
            if self._log is not None:
                await self._log.finish()

    async def _report(self, stop: asyncio.Event) -> None:
        """Copy the encoder's counters to the metrics now and then."""
        while not stop.is_set():
            counters = self._nearest.counters
            metrics.ENCODER_QUEUE.set(counters.queued)
            metrics.ENCODER_TEXTS.set(counters.texts)
            metrics.ENCODER_CACHE_HITS.set(counters.cache_hits)
            metrics.ENCODER_BUSY_SECONDS.set(counters.busy_seconds)
            tally = self._nearest.tally
            metrics.DETECTOR_ASKED.set(tally.asked)
            metrics.DETECTOR_CLEARED.set(tally.cleared)
            metrics.DETECTOR_REPEATED.set(tally.repeated)
            try:
                async with asyncio.timeout(_REFRESH_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue


class Worker:
    """One serving process: its state, and the tasks that keep it current.

    Construction loads and compiles the policies. Raises PolicyError, ConfigError or DetectorError:
    a server does not start on what it cannot enforce. Without `services` it has its own.
    """

    def __init__(
        self,
        settings: Settings,
        policies: Path,
        *,
        services: Services | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._settings = settings
        self._phrases = PhraseCache()
        self._services = services or LocalServices(settings, progress=progress)
        self._softening: asyncio.Task[None] | None = None
        self._keys = [None, *(key.name for key in settings.keys)]
        if not settings.keys:
            log.warning("no keys are configured: everybody is a client, and an operator")
        store = PolicyStore(policies, progress=progress)
        upstream = Upstream(upstream_options(settings))
        elsewhere, asking = guard_model_options(settings)
        self._guard_model = None if elsewhere is None else Upstream(elsewhere)
        self._guide = Guide(self._guard_model or upstream, asking)
        shelf = settings.engine.shelf
        self._engine = None if shelf is None else EngineSets(_shelf(shelf))
        self._elsewhere = rerouting(settings, upstream, self._engine)
        self.state = State(
            settings=settings,
            keyring=Keyring(settings.keys),
            limits=self._services.limits,
            upstream=upstream,
            store=store,
            flow=Flow(
                lambda: self.state.current(),
                upstream,
                self._services.audit,
                overlap=settings.upstream.overlap == "auto",
                engine=self._engine,
                guide=self._guide,
                elsewhere=self._elsewhere,
            ),
            engine=self._engine,
            canary=None if self._engine is None else CanaryWatch(self._engine.shelf, upstream),
        )
        ready = self._made_ready(store.current)
        self._take_over(ready)
        if self._engine is not None:
            self._engine.keep_only(ready.enforcement)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve: the upstream's pool is open and the policy directory watched."""
        stop = asyncio.Event()
        async with AsyncExitStack() as open_:
            await open_.enter_async_context(self.state.upstream)
            if self._guard_model is not None:
                await open_.enter_async_context(self._guard_model)
            if self._elsewhere is not None and self._elsewhere.upstream is not self.state.upstream:
                await open_.enter_async_context(self._elsewhere.upstream)
            await open_.enter_async_context(self._services.running(self.state.store.current))
            watching = asyncio.create_task(
                self.state.store.watch(stop, on_swap=self._swap, on_reject=self._rejected)
            )
            aging = asyncio.create_task(self._count_overdue())
            following = asyncio.create_task(self._follow_engines())
            self._soften()
            proving = asyncio.create_task(self._prove_engines())
            # Policies and models live as long as the process: a collection that walks them all
            # would stop every stream for tens of milliseconds.
            gc.collect()
            gc.freeze()
            try:
                yield
            finally:
                gc.unfreeze()
                aging.cancel()
                following.cancel()
                if self._softening is not None:
                    self._softening.cancel()
                proving.cancel()
                stop.set()
                await watching

    def _made_ready(self, policies: PolicySet) -> InForce:
        check_reroute(policies, self._elsewhere)
        for line in unbound_keys(policies.policies, self._keys):
            log.warning("%s", line)
        enforcement = Enforcement(policies, self._phrases)
        enforcement.prepare(self._keys)
        if self._engine is not None:
            self._engine.prepare(enforcement, self._keys)
        nearest = self._services.build_nearest(policies)
        detector = Detector(enforcement, nearest, timeout=self._settings.detect.timeout)
        return InForce(enforcement, detector)

    async def _swap(self, policies: PolicySet) -> None:
        """A new set: compile and embed off the loop, then let new requests see it."""
        ready = await asyncio.to_thread(self._made_ready, policies)
        await self._services.prepare(policies)
        self._take_over(ready)
        self._phrases.keep_only(policies.policies)
        self._guide.keep_only(policies.policies)
        if self._engine is not None:
            self._engine.keep_only(ready.enforcement)
        self._soften()
        gc.freeze()
        metrics.RELOADS.labels("swapped").inc()

    async def _follow_engines(self) -> None:
        if self._engine is not None:
            await self._engine.follow()

    def _soften(self) -> None:
        """Find the words near what the set in force forgets, in the background."""
        if self._softening is not None:
            self._softening.cancel()
        self._softening = asyncio.create_task(self._soften_all(self.state.current().enforcement))

    async def _soften_all(self, enforcement: Enforcement) -> None:
        try:
            await enforcement.soften(self._services.near_words)
        except DetectorError as error:
            # The distinctive words keep their penalty, and the filter reads every answer.
            log.warning("words near forgotten ones are not penalised: %s", error)

    async def _prove_engines(self) -> None:
        if self.state.canary is not None:
            await self.state.canary.follow()

    async def _count_overdue(self) -> None:
        """Dates pass while the files stay as they are."""
        while True:
            await asyncio.sleep(_OVERDUE_SECONDS)
            policies = self.state.current().enforcement.policies.policies
            metrics.POLICIES_OVERDUE.set(sum(p.is_overdue(utc_today()) for p in policies))

    def _take_over(self, ready: InForce) -> None:
        previous = self.state.in_force
        self.state.in_force = ready
        policies = ready.enforcement.policies
        overdue = sum(policy.is_overdue(utc_today()) for policy in policies.policies)
        metrics.set_in_force(
            ready.enforcement.hash,
            previous.enforcement.hash if previous else None,
            len(policies),
            overdue,
        )

    def _rejected(self, error: PolicyError) -> None:
        metrics.RELOADS.labels("rejected").inc()
