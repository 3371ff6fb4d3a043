"""The policy set in force, kept up to date with its directory.

A new set takes over only when all of it is good and prepared; until then, and whatever happens to
the files, the last good set stays in force.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import watchfiles
from watchfiles._rust_notify import WatchfilesRustInternalError

from guard.errors import GuardError, PolicyError, Problem
from guard.policy.compiled import PolicySet
from guard.policy.data import Progress
from guard.policy.loader import Reading, policy_files, read_policies

log = logging.getLogger("guard.policy")

OnSwap = Callable[[PolicySet], Awaitable[None] | None]
OnReject = Callable[[PolicyError], None]

# A log line names this many problems and counts the rest.
_LOGGED_PROBLEMS = 3
_Fingerprint = frozenset[tuple[str, int, int, int, int]]


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """When the set in force was loaded (UTC), and how reloading went since the start.

    `last_error` is None again as soon as the files on disk are good.
    """

    loaded_at: datetime
    last_error: PolicyError | None = None
    swaps: int = 0
    rejects: int = 0


class PolicyStore:
    """Holds the current PolicySet of a directory.

    Raises PolicyError from the constructor: a server does not start on bad policies.

    `poll_seconds` is how often the files are compared even when no event came, since network
    mounts send none. `settle_seconds` is how long files must stay as they are before they are
    read, so that a file is not taken half written.
    """

    def __init__(
        self,
        directory: Path,
        *,
        allow_empty: bool = False,
        progress: Progress | None = None,
        poll_seconds: float = 3.0,
        settle_seconds: float = 0.2,
    ) -> None:
        self._directory = directory
        self._allow_empty = allow_empty
        self._poll_seconds = poll_seconds
        self._settle_seconds = settle_seconds
        self._reload_lock = asyncio.Lock()
        self._files: list[Path] = []
        self._events_work = True
        self._seen = self._fingerprint()
        self._current = self._read(progress).policy_set()
        self._status = StoreStatus(loaded_at=datetime.now(UTC))
        # The union holds both marks of a file that changed meanwhile, so it is read again.
        self._seen = self._seen | self._fingerprint()

    @property
    def current(self) -> PolicySet:
        """The set in force. Take it once a request: the next read may be another set."""
        return self._current

    @property
    def status(self) -> StoreStatus:
        """A snapshot of how reloading goes."""
        return self._status

    async def watch(
        self,
        stop: asyncio.Event,
        *,
        on_swap: OnSwap | None = None,
        on_reject: OnReject | None = None,
    ) -> None:
        """Follows the files until `stop` is set. `reload` tells what the callbacks are for."""
        while not stop.is_set():
            if await self._has_changed():
                await self._settle(stop)
                await self.reload(on_swap=on_swap, on_reject=on_reject)
            await self._wait(stop)

    async def reload(
        self, *, on_swap: OnSwap | None = None, on_reject: OnReject | None = None
    ) -> bool:
        """Reads the directory now; True when a different set took over.

        `on_swap` is called with the new set, and awaited, before anyone else can see it: compile
        and embed there. A GuardError from it rejects the set. `on_reject` gets the reason for any
        rejection.
        """
        async with self._reload_lock:
            self._seen = await asyncio.to_thread(self._fingerprint)
            reading = await asyncio.to_thread(self._read, None)
            self._seen = self._seen | await asyncio.to_thread(self._fingerprint)
            try:
                new = reading.policy_set()
                if new == self._current:
                    self._status = replace(self._status, last_error=None)
                    return False
                await self._prepare(new, on_swap)
            except PolicyError as error:
                self._reject(error, on_reject)
                return False
            self._current = new
            self._status = replace(
                self._status,
                loaded_at=datetime.now(UTC),
                last_error=None,
                swaps=self._status.swaps + 1,
            )
            log.info("policies swapped: set %s, %d in all", new.hash[:12], len(new))
            return True

    async def _prepare(self, new: PolicySet, on_swap: OnSwap | None) -> None:
        if on_swap is None:
            return
        try:
            waiting = on_swap(new)
            if inspect.isawaitable(waiting):
                await waiting
        except PolicyError:
            raise
        except GuardError as error:
            # The files are good and the trouble may pass: the next look tries again.
            self._seen = frozenset()
            # Only the kind: what failed on a policy's text may quote it.
            message = f"the new set could not be prepared: {type(error).__name__}"
            raise PolicyError([Problem(str(self._directory), 0, "", message)]) from error

    def _reject(self, error: PolicyError, on_reject: OnReject | None) -> None:
        self._status = replace(self._status, last_error=error, rejects=self._status.rejects + 1)
        shown = "; ".join(str(problem) for problem in error.problems[:_LOGGED_PROBLEMS])
        more = len(error.problems) - _LOGGED_PROBLEMS
        rest = f"; and {more} more" if more > 0 else ""
        log.error("policies rejected, set %s stays: %s%s", self._current.hash[:12], shown, rest)
        if on_reject is not None:
            on_reject(error)

    def _read(self, progress: Progress | None) -> Reading:
        reading = read_policies(self._directory, allow_empty=self._allow_empty, progress=progress)
        # Also after a failure: the missing data file is what will be mended.
        self._files = reading.files
        return reading

    def _fingerprint(self) -> _Fingerprint:
        """What tells one state of the files from another without reading them."""
        try:
            listed = policy_files(self._directory)
        except PolicyError:
            listed = []
        marks = set()
        for path in {*listed, *self._files}:
            try:
                stat = path.stat()
            except OSError:
                continue
            marks.add((str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
        return frozenset(marks)

    def _folders(self) -> list[Path]:
        folders = {self._directory, *(path.parent for path in self._files)}
        return [folder for folder in folders if folder.exists()]

    async def _has_changed(self) -> bool:
        return await asyncio.to_thread(self._fingerprint) != self._seen

    async def _settle(self, stop: asyncio.Event) -> None:
        """Waits until the files have stayed the same for a while."""
        before = await asyncio.to_thread(self._fingerprint)
        while not await _stopped(stop, self._settle_seconds):
            now = await asyncio.to_thread(self._fingerprint)
            if now == before:
                return
            before = now

    async def _wait(self, stop: asyncio.Event) -> None:
        """Returns at a file event, after the poll interval, or when stopped."""
        folders = await asyncio.to_thread(self._folders)
        changes = watchfiles.awatch(
            *folders,
            stop_event=stop,
            recursive=False,
            rust_timeout=max(1, round(self._poll_seconds * 1000)),
            yield_on_timeout=True,
            debounce=100,
        )
        try:
            async with aclosing(changes):
                async for _ in changes:
                    return
        except (OSError, WatchfilesRustInternalError) as error:
            if self._events_work:
                self._events_work = False
                kind = type(error).__name__
                log.warning("no file events (%s): comparing files by the clock", kind)
            await _stopped(stop, self._poll_seconds)


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    """Sleeps; True at once when stopped."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True
