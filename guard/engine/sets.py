"""Which phrase sets the engines hold, and which of them a request is to be generated under.

A binding's phrases are published as two manifests, one of names and one of texts, so that a request
that itself supplies a name (`scope: parametric`) can go without the names and still be kept from
the texts. A request is told a manifest only while every rank of every live engine holds it; the
output filter reads all answers anyway.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from guard import metrics
from guard.asked import Asked
from guard.enforcement import Binding, Enforcement
from guard.errors import EngineError
from guard.policy import Policy
from guard.restrict import Phrase
from guard.restrict.shelf import Shelf, held_by_all, shard_name
from guard.restrict.soft import SoftPenalties

log = logging.getLogger("guard.engine")

_FOLLOW_SECONDS = 0.5
_KEEP_SECONDS = 10.0
_UNUSED_SECONDS = 60.0  # after which what no proxy has kept leaves the shelf

Shards = Mapping[str, Sequence[Phrase]]


@dataclass(frozen=True, slots=True)
class RequestSets:
    """Manifest ids for a binding; None where there is nothing of the kind to forbid.

    `names` and `texts` are of the policies that restrict every answer, `flagged_names` and
    `flagged_texts` of all, for requests that were flagged.
    """

    names: str | None
    texts: str | None
    flagged_names: str | None
    flagged_texts: str | None

    @property
    def ids(self) -> frozenset[str]:
        """All that are there."""
        found = (self.names, self.texts, self.flagged_names, self.flagged_texts)
        return frozenset(name for name in found if name is not None)


class EngineSets:
    """Publishes bindings and follows what the engines say. One a worker process."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._published: dict[tuple[str, ...], RequestSets] = {}  # by the policies' hashes
        self._publishing: set[tuple[str, ...]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: frozenset[str] = frozenset()
        self._names: dict[tuple[str, str], str] = {}  # shards by policy hash and kind
        self._enforcement: Enforcement | None = None
        self._soft_held: frozenset[str] = frozenset()
        self._loose: dict[str, Shards] = {}  # manifests of several tries, to be merged

    # --- requests ----------------------------------------------------------------------------

    def sets_of(self, binding: Binding, asked: Asked, flagged: Policy | None) -> list[str]:
        """What the engine is told of one request: ids of manifests that it holds.

        A binding that was never seen is published in the background; until engines hold it, the
        proxy keeps the promise alone.
        """
        published = self._published.get(_key(binding))
        if published is None:
            self._publish_later(binding)
            return []
        names = published.names if flagged is None else published.flagged_names
        texts = published.texts if flagged is None else published.flagged_texts
        wanted = [name for name in (names, texts) if name is not None]
        if not wanted:
            return []
        if not self._held.issuperset(wanted):
            metrics.ENGINE_UNHELD.inc()
            return []
        supplied = supplied_kinds(binding, asked)
        if "name" in supplied:
            names = None
        if "text" in supplied:
            texts = None
        return [name for name in (names, texts) if name is not None]

    def soft_of(self, flagged: Policy | None) -> list[str]:
        """The soft penalties of a policy that a request fell under: an id that every engine holds.
        They steer and forbid nothing: until they are held there are none."""
        if flagged is None or self._enforcement is None:
            return []
        soft = self._enforcement.soft_for(flagged)
        if soft is None or soft.id not in self._soft_held:
            return []
        return [soft.id]

    def _publish_later(self, binding: Binding) -> None:
        key = _key(binding)
        if key in self._publishing:
            return
        self._publishing.add(key)
        task = asyncio.create_task(self._publish_in_thread(binding))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish_in_thread(self, binding: Binding) -> None:
        try:
            await asyncio.to_thread(self.publish, binding)
        except EngineError as error:
            log.error("a policy set cannot be given to the engines: %s", error)
        finally:
            self._publishing.discard(_key(binding))

    # --- publishing --------------------------------------------------------------------------

    def prepare(self, enforcement: Enforcement, keys: Iterable[str | None]) -> None:
        """Publish the bindings of known keys, before the set takes over. Slow, CPU-bound.

        Raises EngineError when the shelf cannot be written.
        """
        for key in keys:
            self.publish(enforcement.binding(key, ""))
        for soft in _softs(enforcement):
            self.shelf.publish_soft(soft)

    def publish(self, binding: Binding) -> None:
        """Put a binding's phrases on the shelf. Raises EngineError."""
        always = [p for p in binding.enforced if p.restrict.when == "always"]
        self._published[_key(binding)] = RequestSets(
            self._manifest(binding, always, "name"),
            self._manifest(binding, always, "text"),
            self._manifest(binding, binding.enforced, "name"),
            self._manifest(binding, binding.enforced, "text"),
        )

    def _manifest(
        self, binding: Binding, policies: Iterable[Policy], kind: Literal["name", "text"]
    ) -> str | None:
        shards: dict[str, Sequence[Phrase]] = {}
        for policy in policies:
            cache = binding.cache
            phrases = cache.names(policy) if kind == "name" else cache.texts(policy)
            if phrases:
                shards[self._shard(policy, kind, phrases)] = phrases
        if not shards:
            return None
        manifest = self.shelf.publish(shards)
        if len(manifest.tries) > 1:
            self._loose[manifest.id] = shards
        return manifest.id

    def _shard(self, policy: Policy, kind: str, phrases: Sequence[Phrase]) -> str:
        key = (policy.hash, kind)
        if key not in self._names:
            self._names[key] = shard_name(phrases)
        return self._names[key]

    def keep_only(self, enforcement: Enforcement) -> None:
        """This set is in force. Forget the bindings of policies that are gone; their manifests
        leave the shelf once no proxy keeps them any more."""
        self._enforcement = enforcement
        hashes = {policy.hash for policy in enforcement.policies.policies}
        self._published = {k: v for k, v in self._published.items() if hashes.issuperset(k)}
        self._names = {k: v for k, v in self._names.items() if k[0] in hashes}

    # --- the engines -------------------------------------------------------------------------

    async def follow(self) -> None:
        """Stay up to date with what engines hold, until cancelled."""
        kept = -_KEEP_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            try:
                self._held = await asyncio.to_thread(self._look)
                if loop.time() - kept >= _KEEP_SECONDS:
                    kept = loop.time()
                    await asyncio.to_thread(self._upkeep)
            except EngineError as error:
                log.error("the engines' shelf: %s", error)
            await asyncio.sleep(_FOLLOW_SECONDS)

    def _look(self) -> frozenset[str]:
        engines = self.shelf.engines()
        metrics.ENGINES.set(len(engines))
        softs = [] if self._enforcement is None else _softs(self._enforcement)
        for soft in softs:  # what lies near is found after the set took over, and changes the id
            self.shelf.publish_soft(soft)
        self._soft_held = frozenset(
            soft.id for soft in softs if held_by_all(engines, soft.id, "soft")
        )
        return frozenset(name for name in self.manifests if held_by_all(engines, name))

    def _upkeep(self) -> None:
        """Keep what is in use on the shelf, clear the rest, and merge small tries into one. Engines
        use the small ones until they hold the merged one."""
        softs = [] if self._enforcement is None else _softs(self._enforcement)
        gone = self.shelf.keep(self.manifests, [soft.id for soft in softs])
        # A proxy that stood still for a minute finds its sets withdrawn; the next request that is
        # under one publishes it again.
        for key, sets in list(self._published.items()):
            if not gone.isdisjoint(sets.ids):
                self._published.pop(key, None)
        self.shelf.withdraw(_UNUSED_SECONDS)
        for name, shards in list(self._loose.items()):
            manifest = self.shelf.manifest(name)
            if name in self.manifests and manifest is not None:
                self.shelf.tidy(manifest, shards)
            del self._loose[name]

    @property
    def manifests(self) -> frozenset[str]:
        """Every manifest that this worker may tell an engine of."""
        return frozenset(name for sets in list(self._published.values()) for name in sets.ids)

    @property
    def held(self) -> frozenset[str]:
        """Those that every rank of every live engine holds."""
        return self._held


def _softs(enforcement: Enforcement) -> list[SoftPenalties]:
    """The soft penalties of a set's policies whose flagged requests the model answers."""
    answered = (p for p in enforcement.policies.policies if p.answered)
    found = (enforcement.soft_for(policy) for policy in answered)
    return [soft for soft in found if soft is not None]


def _key(binding: Binding) -> tuple[str, ...]:
    return tuple(policy.hash for policy in binding.policies)


def supplied_kinds(binding: Binding, asked: Asked) -> set[str]:
    """Which kinds of phrase the request itself holds, of policies that let the user supply them."""
    parametric = {policy.name for policy in binding.enforced if policy.scope == "parametric"}
    if not parametric:
        return set()
    return {
        phrase.kind
        for text in (*asked.texts, *asked.spans)
        for match in binding.automaton.find_all(text)
        for phrase in match.phrases
        if phrase.policy in parametric
    }
