"""One worker thread encodes for everybody, in batches of whatever waits when it is free.

Nothing waits for a batch to fill: on an idle encoder a text goes at once and alone; under load
the texts that arrived meanwhile share a batch. The event loop never computes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from classifiers.encoder import Encoder, Vectors
from classifiers.errors import Closed, QueueFull


def content_key(text: str) -> bytes:
    """Digest of a text: caches are keyed by it, so that no prompt outlives its request."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Counters:
    """Running totals for metrics; `queued` texts wait now."""

    batches: int = 0
    texts: int = 0
    cache_hits: int = 0
    cancelled: int = 0
    queued: int = 0
    busy_seconds: float = 0.0


class _Job:
    """One request: its rows fill in as batches come back, the future resolves with the last."""

    __slots__ = ("dropped", "future", "loop", "missing", "pending", "rows")

    def __init__(self, count: int, dimension: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Vectors] = self.loop.create_future()
        self.rows: Vectors = np.empty((count, dimension), dtype=np.float32)
        self.pending: deque[tuple[int, bytes, str]] = deque()  # row, cache key, text
        self.missing = 0
        self.dropped = False

    def finish(self, error: BaseException | None = None) -> None:
        """Called on the worker thread; the request may have gone, and its loop with it."""
        self.dropped = True
        with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._settle, error)

    def _settle(self, error: BaseException | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(self.rows)
        else:
            self.future.set_exception(error)


_Item = tuple[_Job, int, bytes, str]  # request, row in it, cache key, text


class _Cache:
    """Least recently used embeddings, used under the owner's lock."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._rows: OrderedDict[bytes, Vectors] = OrderedDict()

    def get(self, key: bytes) -> Vectors | None:
        row = self._rows.get(key)
        if row is not None:
            self._rows.move_to_end(key)
        return row

    def put(self, key: bytes, row: Vectors) -> None:
        self._rows[key] = row
        self._rows.move_to_end(key)
        while len(self._rows) > self._size:
            self._rows.popitem(last=False)


class BatchedEncoder:
    """Share `encoder` between concurrent requests, at most `max_batch` texts at a time.

    `max_queue` bounds the texts that wait (a request is taken whole or refused whole);
    `cache_size` embeddings are kept, 1.5 KiB each at 384 dimensions, 0 for none.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        max_batch: int = 32,
        max_queue: int = 4096,
        cache_size: int = 4096,
    ) -> None:
        if max_batch < 1 or max_queue < 1 or cache_size < 0:
            raise ValueError("max_batch and max_queue must be positive, cache_size not negative")
        self.encoder = encoder
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._cache = _Cache(cache_size)
        self._jobs: deque[_Job] = deque()  # those with texts that wait, next to serve first
        self._queued = 0
        self._changed = threading.Condition()
        self._closed = False
        self._batches = self._texts = self._hits = self._cancelled = 0
        self._busy = 0.0
        self._thread = threading.Thread(target=self._work, name="encoder", daemon=True)
        self._thread.start()

    @property
    def counters(self) -> Counters:
        """A consistent snapshot; callable from any thread."""
        with self._changed:
            return Counters(
                batches=self._batches,
                texts=self._texts,
                cache_hits=self._hits,
                cancelled=self._cancelled,
                queued=self._queued,
                busy_seconds=self._busy,
            )

    async def encode(self, texts: Sequence[str]) -> Vectors:
        """Rows of float32 (n, d), L2-normalised, in the order of `texts`.

        Raises QueueFull (nothing was queued), Closed, or what the encoder raised for a batch
        that held one of these texts. Cancelling takes the texts that still wait out again.
        """
        job = _Job(len(texts), self.encoder.dimension)
        self._submit(job, texts)
        if not job.missing:
            return job.rows
        try:
            return await job.future
        finally:
            if job.future.cancelled():
                with self._changed:
                    self._cancelled += self._drop(job)

    def close(self) -> None:
        """Refuse what waits with Closed, and return once the running batch is done."""
        with self._changed:
            self._closed = True
            waiting = list(self._jobs)
            for job in waiting:
                self._drop(job)
            self._changed.notify()
        for job in waiting:
            job.finish(Closed())
        self._thread.join()

    def _submit(self, job: _Job, texts: Sequence[str]) -> None:
        keys = [content_key(text) for text in texts]
        with self._changed:
            if self._closed:
                raise Closed
            for index, (key, text) in enumerate(zip(keys, texts, strict=True)):
                row = self._cache.get(key)
                if row is None:
                    job.pending.append((index, key, text))
                else:
                    job.rows[index] = row
            job.missing = len(job.pending)
            if self._queued + job.missing > self._max_queue:
                raise QueueFull(self._queued, self._max_queue)
            self._hits += len(texts) - job.missing
            if job.missing:
                self._queued += job.missing
                self._jobs.append(job)
                self._changed.notify()

    def _drop(self, job: _Job) -> int:
        """Take out what still waits of a request, under the lock; how many texts that were."""
        job.dropped = True
        waiting = len(job.pending)
        if waiting:
            self._jobs.remove(job)
            self._queued -= waiting
            job.pending.clear()
        return waiting

    def _take(self) -> list[_Item]:
        """Wait for work; empty once closed.

        Requests take turns, a text each, so that a short prompt does not wait for all of a
        long document. Texts asked for twice are computed once a batch.
        """
        with self._changed:
            while not self._jobs and not self._closed:
                self._changed.wait()
            batch: list[_Item] = []
            distinct: set[bytes] = set()
            while self._jobs and len(distinct) < self._max_batch:
                job = self._jobs.popleft()
                index, key, text = job.pending.popleft()
                batch.append((job, index, key, text))
                distinct.add(key)
                if job.pending:
                    self._jobs.append(job)
            self._queued -= len(batch)
            return batch

    def _work(self) -> None:
        while batch := self._take():
            texts = {key: text for _, _, key, text in batch}
            started = time.perf_counter()
            try:
                rows = self.encoder.encode(list(texts.values()))
                if rows.shape != (len(texts), self.encoder.dimension):
                    raise ValueError(f"{len(texts)} texts came back as {rows.shape}")
            except Exception as error:  # noqa: BLE001 - whatever it is belongs to the waiters
                self._fail(batch, error)
                continue
            finally:
                with self._changed:
                    self._busy += time.perf_counter() - started
                    self._batches += 1
                    self._texts += len(texts)
            self._deliver(batch, dict(zip(texts, rows, strict=True)))

    def _fail(self, batch: list[_Item], error: Exception) -> None:
        jobs = {id(job): job for job, *_ in batch}
        with self._changed:
            for job in jobs.values():
                self._drop(job)
        for job in jobs.values():
            job.finish(error)

    def _deliver(self, batch: list[_Item], rows: dict[bytes, Vectors]) -> None:
        with self._changed:
            for key, row in rows.items():
                # A copy: a view would keep the whole batch alive.
                self._cache.put(key, row.copy())
        for job, index, key, _ in batch:
            if job.dropped:
                continue
            job.rows[index] = rows[key]
            job.missing -= 1
            if not job.missing:
                job.finish()
