"""What one rank of an engine holds: the vocabulary, the tries on the shelf, who uses them.

A background thread follows the shelf. It copies new tries into memory that was reserved at start,
lets the model runner's own side prepare (`backend`), and only then says that the manifest is held.
Requests take a manifest's tries and give them back; a trie leaves memory when its manifest has left
the shelf and nobody uses it any more. Nothing in here raises on what the shelf or a request says.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from guard.errors import EngineError
from guard.restrict.forest import Forest
from guard.restrict.outlook import Outlook
from guard.restrict.shelf import Shelf
from guard.restrict.soft import WholeWords
from guard.restrict.trie import Trie
from guard.restrict.vllm_plugin.arguments import Arguments, read_arguments
from guard.restrict.vocabulary import Vocabulary

log = logging.getLogger("guard.vllm_plugin")

Penalties = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Token ids, and what is subtracted from the logit of each."""

_FOLLOW_SECONDS = 0.25
_REPORT_SECONDS = 1.0


class Backend(Protocol):
    """The model runner's side: what it makes of a trie before the trie may be used."""

    def planted(self, root: int, end: int) -> None:
        """A trie stands at [root, end) of the forest. Called in the background thread."""

    def felled(self, root: int, end: int) -> None:
        """It does not any more."""


@dataclass(slots=True)
class _Planted:
    """One trie in the forest, and how many requests use it."""

    root: int
    end: int
    users: int = 0


class Engine:
    """One rank. `end`: the end-of-sequence token; `facts`: what else its reports say; `reports`:
    False for a rank that never samples, whose word would count for nothing; `cache`: where tables
    that were compiled are kept."""

    def __init__(
        self,
        shelf: Shelf,
        vocabulary: Vocabulary,
        *,
        end: int,
        nodes: int,
        name: str,
        rank: int = 0,
        ranks: int = 1,
        facts: Mapping[str, Any] | None = None,
        reports: bool = True,
        cache: Path | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        self.end = end
        self.forest = Forest(nodes)
        self.cache = cache
        self.backend: Backend | None = None
        self._shelf = shelf
        self._name, self._rank, self._ranks = name, rank, ranks
        self._facts = dict(facts or {})
        self._reports = reports
        self._lock = threading.Lock()  # of the three below
        self._tries: dict[str, _Planted] = {}
        self._manifests: dict[str, tuple[str, ...]] = {}
        self._soft: dict[str, Penalties] = {}
        self._whole_words: WholeWords | None = None
        self._served: Counter[str] = Counter()
        self._refused: set[str] = set()  # tries that there was no room for, or that are damaged
        self._reported = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # --- requests: called by the model runner's thread, a few times a request ----------------

    def arguments(self, params: Any) -> Arguments | None:
        """What a request's sampling parameters say to us; None when they say nothing."""
        return read_arguments(params.extra_args)

    def hold(self, sets: Sequence[str] | None) -> tuple[int, ...] | None:
        """The roots of some manifests' tries, kept until `release`. None when one is unknown."""
        with self._lock:
            if sets is None or any(name not in self._manifests for name in sets):
                return None
            for name in sets:
                self._served[name] += 1
            held = [self._tries[trie] for name in sets for trie in self._manifests[name]]
            for planted in held:
                planted.users += 1
            return tuple(planted.root for planted in held)

    def soft(self, names: Sequence[str]) -> Penalties | None:
        """The soft penalties of some names together, the larger of two for one token; None when
        there are none. An unknown name penalises nothing: it steers, and forbids nothing."""
        held = self._soft
        found = [held[name] for name in names if name in held]
        if len(found) <= 1:
            return found[0] if found else None
        ids = np.unique(np.concatenate([ids for ids, _ in found]))
        values = np.zeros(len(ids), dtype=np.float32)
        for part, penalties in found:
            np.maximum.at(values, np.searchsorted(ids, part), penalties)
        return ids, values

    def release(self, roots: Sequence[int]) -> None:
        """A request that held these has ended."""
        with self._lock:
            by_root = {planted.root: planted for planted in self._tries.values()}
            for root in roots:
                by_root[root].users -= 1

    # --- the background thread --------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow the shelf."""
        self._thread = threading.Thread(target=self._run, name="guard-shelf", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.follow()
            except (EngineError, OSError, MemoryError):
                log.exception("the shelf cannot be followed; trying again")
            self._stop.wait(_FOLLOW_SECONDS)

    def follow(self) -> None:
        """Take over what is new on the shelf, drop what has left it, say what is held.

        Raises EngineError when the shelf cannot be written.
        """
        wanted = self._shelf.manifests()
        refused = set(self._refused)
        changed = False
        for name in sorted(wanted):
            changed |= self._take_over(name)
        with self._lock:
            for name in self._manifests.keys() - wanted:
                del self._manifests[name]
                changed = True
        changed |= self._follow_soft()
        changed |= self._drop_unused() or self._refused != refused
        due = changed or time.monotonic() - self._reported >= _REPORT_SECONDS
        if self._reports and due:
            self._report()

    def _take_over(self, name: str) -> bool:
        """Hold a manifest as it is on the shelf now; tidying may have given it other tries."""
        manifest = self._shelf.manifest(name)
        if manifest is None or self._manifests.get(name) == manifest.tries:
            return False
        if not all(self._plant(trie) for trie in manifest.tries):
            return False
        with self._lock:
            self._manifests[name] = manifest.tries
        return True

    def _plant(self, name: str) -> bool:
        """Bring one trie into memory. False when it cannot be: its manifests are not held."""
        if name in self._tries:
            return True
        try:
            trie, outlook = self._shelf.trie(name)
            planted = self._prepared(trie, outlook)
        except EngineError as error:
            if name not in self._refused:
                log.error("a policy set cannot be held: %s", error)
                self._refused.add(name)
            return False
        with self._lock:
            self._tries[name] = planted
        self._refused.discard(name)
        return True

    def _prepared(self, trie: Trie, outlook: Outlook) -> _Planted:
        """A trie in the forest that the backend is ready for. Raises EngineError without room."""
        root = self.forest.plant(trie, outlook)
        end = root + trie.nodes
        try:
            if self.backend is not None:
                self.backend.planted(root, end)
        except EngineError:
            self.forest.fell(root)
            raise
        return _Planted(root, end)

    def _follow_soft(self) -> bool:
        """Hold the soft penalties that are on the shelf, as those of this vocabulary's tokens."""
        wanted = self._shelf.softs()
        changed = False
        for name in sorted(wanted - self._soft.keys()):
            words = self._shelf.soft(name)
            if words is not None:
                if self._whole_words is None:
                    self._whole_words = WholeWords(self.vocabulary)
                self._soft[name] = self._whole_words.penalties(words)
                changed = True
        if not self._soft.keys() <= wanted:
            # Replaced as a whole: requests read it from another thread.
            self._soft = {name: held for name, held in self._soft.items() if name in wanted}
            changed = True
        return changed

    def _drop_unused(self) -> bool:
        with self._lock:
            named = {trie for tries in self._manifests.values() for trie in tries}
            unused = [
                name
                for name, planted in self._tries.items()
                if name not in named and planted.users == 0
            ]
            gone = [self._tries.pop(name) for name in unused]
        for planted in gone:
            if self.backend is not None:
                self.backend.felled(planted.root, planted.end)
            self.forest.fell(planted.root)
        return bool(gone)

    def _report(self) -> None:
        with self._lock:
            held, served = sorted(self._manifests), dict(self._served)
        said = {
            **self._facts,
            "rank": self._rank,
            "ranks": self._ranks,
            "manifests": held,
            "soft": sorted(self._soft),
            "served": served,
            "refused": sorted(self._refused),
            "nodes": {"used": self.forest.used, "reserved": self.forest.nodes},
            "vocabulary": self.vocabulary.hash,
        }
        self._shelf.report(self._name, self._rank, said)
        self._reported = time.monotonic()
