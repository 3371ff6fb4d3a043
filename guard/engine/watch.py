"""Keeps the proof that the engines' plugin is on up to date. One a worker process."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from guard import metrics
from guard.engine.canary import LEAST_TRIES, Engines, Proof, Why, ask, prove, publish_canary
from guard.engine.mends import MENDS, PROCESSED, shows_banned
from guard.errors import EngineError, UpstreamError
from guard.restrict.shelf import Shelf
from guard.upstream import Upstream

log = logging.getLogger("guard.engine")

LOOK_SECONDS = 1.0
REACH_SECONDS = 2.0  # between two looks at whether the model server answers
PUBLISH_SECONDS = 10.0
PROVE_SECONDS = 300.0  # between two proofs of the same engines
AGAIN_SECONDS = 5.0  # after a proof that failed
JOIN_SECONDS = 300.0  # an engine reports before its server listens: how long it may go unproved


class CanaryWatch:
    """Proves at the start, when an engine is new, when the model server is back, now and then.

    `why` is None while the proof holds: the last one found no engine that ignores the canary, and
    every engine on the shelf has obeyed it. An engine that joins proved ones is given
    `JOIN_SECONDS`: nobody is sent to it before it listens.
    """

    def __init__(self, shelf: Shelf, upstream: Upstream) -> None:
        self._shelf = shelf
        self._upstream = upstream
        self._proof = Proof(why="unproved")
        self._live: frozenset[str] = frozenset()
        self._engines: Engines = {}
        self._joined: dict[str, float] = {}  # engines not proved yet, and since when
        self._reachable = True
        self._reached = self._published = self._proved_at = -PROVE_SECONDS

    # --- what readiness asks -----------------------------------------------------------------

    @property
    def why(self) -> Why | None:
        """Why the proof fails; None while it holds."""
        if self._proof.why is not None:
            return self._proof.why
        if not self._live:
            return "no_engine"
        if not self._live & self._proof.proved or self._overdue():
            return "unproved"
        return None

    def report(self) -> dict[str, Any]:
        """For `/readyz`."""
        why = self.why
        said: dict[str, Any] = {
            "canary": "ok" if why is None else "failed",
            "engines": len(self._live),
            "proved": len(self._live & self._proof.proved),
        }
        said |= self._modes()
        return said if why is None else {**said, "why": why, "mend": MENDS[why][1]}

    def _modes(self) -> dict[str, Any]:
        """What the engines say of how they run, where they say it."""
        ranks = [ranks[0] for ranks in self._engines.values()]
        modes = sorted({str(rank["logprobs_mode"]) for rank in ranks if rank.get("logprobs_mode")})
        said: dict[str, Any] = {"logprobs_modes": modes} if modes else {}
        if any(map(shows_banned, modes)):
            said["logprobs_mend"] = PROCESSED
        if any("speculative" in rank for rank in ranks):
            said["speculative"] = any(rank.get("speculative") for rank in ranks)
        return said

    def lost(self) -> None:
        """The model server could not be reached: what comes back is to be proved anew."""
        self._reachable = False

    # --- the task ----------------------------------------------------------------------------

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except EngineError as error:
                log.error("the engines' shelf: %s", error)
                self._take(Proof(why="shelf"))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """One look, and a proof where one is due. Raises EngineError."""
        now = time.monotonic()
        if now - self._published >= PUBLISH_SECONDS:
            self._published = now
            await asyncio.to_thread(publish_canary, self._shelf)
        self._engines = await asyncio.to_thread(self._shelf.engines)
        self._live = frozenset(self._engines)
        self._note_joined(now)
        back = await self._is_back(now)
        if self._reachable and (back or self._is_due(now)):
            self._proved_at = now
            tries = LEAST_TRIES * (4 if self._proof.why == "off" else 1)
            self._take(await prove(self._upstream, self._shelf, tries=tries))
        metrics.ENGINES_PROVED.set(len(self._live & self._proof.proved))

    def _is_due(self, now: float) -> bool:
        failed = self._proof.why is not None or bool(self._joined)
        return now - self._proved_at >= (AGAIN_SECONDS if failed else PROVE_SECONDS)

    def _note_joined(self, now: float) -> None:
        new = self._live - self._proof.proved
        if new - self._joined.keys():
            self._proved_at = -PROVE_SECONDS  # at once
        self._joined = {name: self._joined.get(name, now) for name in new}

    def _overdue(self) -> bool:
        now = time.monotonic()
        return any(now - since >= JOIN_SECONDS for since in self._joined.values())

    async def _is_back(self, now: float) -> bool:
        """Whether the model server answers after it did not; what was proved then counts no
        longer."""
        if now - self._reached < REACH_SECONDS:
            return False
        self._reached = now
        try:
            await ask(self._upstream, "/v1/models")
        except UpstreamError:
            self.lost()
            return False
        if self._reachable:
            return False
        self._reachable = True
        self._proof = Proof(why="unproved")
        return True

    def _take(self, proof: Proof) -> None:
        held = self._proof.proved if self._proof.why is None else frozenset[str]()
        if proof.why == "unproved" and proof.proved:
            # Some obeyed and none ignored it: who has not been met yet may be starting still.
            proof = Proof(held | proof.proved)
        elif proof.why == "unreachable" and held:
            proof = self._proof  # too busy to answer; where it is gone, `_is_back` finds that
        if proof.why != self._proof.why:
            if proof.why is None:
                log.info("the engines' plugin is on: %d proved", len(proof.proved))
            else:
                log.error("the engines' plugin is not proved: %s", proof.why)
        self._proof = proof
        self._joined = {k: v for k, v in self._joined.items() if k not in proof.proved}
