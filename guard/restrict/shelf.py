"""The shelf: a directory through which proxy and engines share what must not be generated.

    tries/<hash>.npz          phrases of some policies as a compiled trie; never changes
    manifests/<id>.json       a set of policies' shards, and the tries that hold their phrases
    soft/<id>.json            a policy's soft penalties, by word; never changes
    engines/<name>/rank-<r>.json   what one rank of one engine says it holds, every second

A shard is the phrases of one policy, named by their hash; a manifest's id is the hash of its
shards' names. Which tries hold them is not part of the id: after a policy is added the manifest
names the tries of before and a small new one, until `tidy` has merged them. All files are written
whole and renamed into place. The directory holds forbidden text in folded form: it is made for its
owner alone. Where proxy and engines run as different users, they share a group and a directory made
for it beforehand (mode 2770); what is in it is then for that group too.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import time
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from guard.errors import EngineError
from guard.restrict.outlook import Outlook, outlook
from guard.restrict.phrases import Phrase
from guard.restrict.soft import SoftPenalties
from guard.restrict.trie import Trie, build_trie

MOST_TRIES = 4  # a manifest with more is merged at once
FRESH = 10.0  # seconds; an engine that has said nothing for longer is not counted
_LONG_GONE = 3600.0  # seconds; its report is no news to anybody
_WRITING = 60.0  # seconds within which a trie's manifest follows it
_FORMAT = "guard-trie-1"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Shards in force together, and the tries that hold them."""

    id: str
    shards: tuple[str, ...]
    tries: tuple[str, ...]


def shard_name(phrases: Iterable[Phrase]) -> str:
    """The content hash of one policy's phrases."""
    digest = hashlib.sha256(_FORMAT.encode())
    for symbols, flag in sorted({(phrase.symbols, phrase.flag) for phrase in phrases}):
        digest.update(b"%d:%d:" % (len(symbols), flag))
        digest.update(symbols)
    return digest.hexdigest()


def manifest_id(shards: Iterable[str]) -> str:
    """The name of a set of shards."""
    return hashlib.sha256("\n".join(sorted(set(shards))).encode()).hexdigest()


def held_by_all(
    engines: Mapping[str, Sequence[Mapping[str, Any]]], name: str, what: str = "manifests"
) -> bool:
    """Whether every rank of every engine (as `Shelf.engines` gives them) holds a manifest, or what
    else its reports list (`soft`); False without any engine."""
    return bool(engines) and all(
        len(ranks) == ranks[0]["ranks"] and all(name in rank.get(what, ()) for rank in ranks)
        for ranks in engines.values()
    )


class Shelf:
    """One directory. Raises EngineError when it cannot be made or written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name in ("tries", "manifests", "soft", "engines"):
                _mkdir(path / name)
        except OSError as error:
            raise EngineError(f"the shelf {path} cannot be used: {error.strerror}") from error

    # --- the proxy's side ------------------------------------------------------------------

    def publish(self, shards: Mapping[str, Sequence[Phrase]]) -> Manifest:
        """Put a set of shards (by `shard_name`) on the shelf; compiles only what no trie holds."""
        name = manifest_id(shards)
        known = self.manifest(name)
        kept = known is not None and not self.keep([name])
        if known is not None and kept and all(self._trie_path(t).exists() for t in known.tries):
            return known
        left, tries = set(shards), []
        for trie, held in sorted(self._held().items(), key=lambda item: (-len(item[1]), item[0])):
            if held and held <= left:
                tries.append(trie)
                left -= held
        if len(tries) >= MOST_TRIES:
            left, tries = set(shards), []
        if left:
            tries.append(self._write_trie({shard: shards[shard] for shard in left}))
        return self._write_manifest(Manifest(name, tuple(sorted(shards)), tuple(tries)))

    def tidy(self, manifest: Manifest, shards: Mapping[str, Sequence[Phrase]]) -> Manifest:
        """Merge a manifest's tries into one; for the background."""
        if len(manifest.tries) <= 1:
            return manifest
        merged = self._write_trie({shard: shards[shard] for shard in manifest.shards})
        return self._write_manifest(Manifest(manifest.id, manifest.shards, (merged,)))

    def publish_soft(self, penalties: SoftPenalties) -> str:
        """Put soft penalties on the shelf; returns their id."""
        path = self._soft_path(penalties.id)
        if not path.exists():
            _write(path, json.dumps({"words": dict(penalties.words)}))
        return penalties.id

    def keep(self, manifests: Iterable[str], soft: Iterable[str] = ()) -> set[str]:
        """Say that these are still in use: `withdraw` leaves alone what was said so lately. Returns
        the ids of those that another proxy has withdrawn meanwhile: they must be published again.
        """
        paths = [self.path / "manifests" / f"{name}.json" for name in manifests]
        gone = set()
        for path in [*paths, *map(self._soft_path, soft)]:
            try:
                os.utime(path)
            except OSError:
                gone.add(path.stem)
        return gone

    def withdraw(self, unused_for: float) -> None:
        """Remove the manifests and soft penalties that nobody has kept for so many seconds, the
        tries that no manifest names, old tables, and the reports of engines that are long gone."""
        for path in (self.path / "soft").glob("*.json"):
            if _age(path) > unused_for:
                path.unlink(missing_ok=True)
        for path in (self.path / "tables").glob("*"):
            if _age(path) > _LONG_GONE:  # it will be compiled again if anybody needs it
                path.unlink(missing_ok=True)
        named: set[str] = set()
        for path in (self.path / "manifests").glob("*.json"):
            manifest = self.manifest(path.stem)
            if manifest is not None and _age(path) <= unused_for:
                named.update(manifest.tries)
            else:
                path.unlink(missing_ok=True)
        for path in (self.path / "tries").glob("*"):
            # One that was just written may be waiting for its manifest.
            if path.name.split(".")[0] not in named and _age(path) > min(unused_for, _WRITING):
                path.unlink(missing_ok=True)
        for path in (self.path / "engines").glob("*/rank-*.json"):
            if _age(path) > _LONG_GONE:
                path.unlink(missing_ok=True)

    def engines(self) -> dict[str, list[dict[str, Any]]]:
        """What the ranks of the live engines said last, by engine."""
        found: dict[str, list[dict[str, Any]]] = {}
        for path in sorted((self.path / "engines").glob("*/rank-*.json")):
            said = _read_json(path)
            if said is not None and time.time() - said.get("heartbeat", 0) <= FRESH:
                found.setdefault(path.parent.name, []).append(said)
        return found

    # --- the engine's side -----------------------------------------------------------------

    def manifests(self) -> set[str]:
        """The ids on the shelf."""
        return {path.stem for path in (self.path / "manifests").glob("*.json")}

    def manifest(self, name: str) -> Manifest | None:
        """One manifest; None when it is not there or cannot be read."""
        read = _read_json(self.path / "manifests" / f"{name}.json")
        if read is None:
            return None
        return Manifest(name, tuple(read["shards"]), tuple(read["tries"]))

    def softs(self) -> set[str]:
        """The ids of soft penalties on the shelf."""
        return {path.stem for path in (self.path / "soft").glob("*.json")}

    def soft(self, name: str) -> dict[str, float] | None:
        """Soft penalties by folded word; None when they are not there or cannot be read."""
        words = (_read_json(self._soft_path(name)) or {}).get("words")
        return words if isinstance(words, dict) else None

    def trie(self, name: str) -> tuple[Trie, Outlook]:
        """A compiled trie. Raises EngineError when it is not there or is damaged."""
        try:
            with np.load(self._trie_path(name)) as arrays:
                trie = Trie(arrays["first"], arrays["labels"], arrays["accept"], arrays["ends"])
                return trie, Outlook(arrays["reach"], arrays["shape"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise EngineError(f"trie {name} cannot be read") from error

    def report(self, engine: str, rank: int, said: Mapping[str, Any]) -> None:
        """One rank's status, with the time. Raises EngineError when it cannot be written."""
        folder = self.path / "engines" / engine
        try:
            _mkdir(folder)
        except OSError as error:
            raise EngineError(f"the shelf {self.path} cannot be written") from error
        _write(folder / f"rank-{rank}.json", json.dumps({**said, "heartbeat": time.time()}))

    # --- files -----------------------------------------------------------------------------

    def _soft_path(self, name: str) -> Path:
        return self.path / "soft" / f"{name}.json"

    def _trie_path(self, name: str) -> Path:
        return self.path / "tries" / f"{name}.npz"

    def _held(self) -> dict[str, set[str]]:
        """The shards that each trie on the shelf holds."""
        found: dict[str, set[str]] = {}
        for path in (self.path / "tries").glob("*.json"):
            read = _read_json(path)
            if read is not None and self._trie_path(path.stem).exists():
                found[path.stem] = set(read["shards"])
        return found

    def _write_trie(self, shards: Mapping[str, Sequence[Phrase]]) -> str:
        name = manifest_id(shards)
        unique = sorted({(p.symbols, p.flag) for phrases in shards.values() for p in phrases})
        trie = build_trie([symbols for symbols, _ in unique], [flag for _, flag in unique])
        ahead = outlook(trie)
        path = self._trie_path(name)
        with _replacing(path) as scratch, scratch.open("wb") as file:
            np.savez(
                file, first=trie.first, labels=trie.labels, accept=trie.accept, ends=trie.ends,
                reach=ahead.reach, shape=ahead.shape,
            )  # fmt: skip
        _write(path.with_suffix(".json"), json.dumps({"shards": sorted(shards)}))
        return name

    def _write_manifest(self, manifest: Manifest) -> Manifest:
        content = {"shards": manifest.shards, "tries": manifest.tries}
        _write(self.path / "manifests" / f"{manifest.id}.json", json.dumps(content))
        return manifest


class _replacing:
    """A scratch file beside `path` that replaces it once it is complete."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Path:
        try:
            handle, name = tempfile.mkstemp(prefix=".", dir=self._path.parent)
        except OSError as error:
            raise EngineError(f"{self._path.parent} cannot be written: {error.strerror}") from error
        with os.fdopen(handle, "wb"):
            os.fchmod(handle, 0o660 if _is_shared(self._path.parent) else 0o600)
        self._scratch = Path(name)
        return self._scratch

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            self._scratch.replace(self._path)
        else:
            self._scratch.unlink(missing_ok=True)


def _mkdir(path: Path) -> None:
    """Make a directory that those may use who may use the one it is in."""
    try:
        path.mkdir()
    except FileExistsError:
        return
    path.chmod(0o2770 if _is_shared(path.parent) else 0o700)


def _is_shared(folder: Path) -> bool:
    """Whether a group may write to it: only then is anything in it for the group."""
    return bool(folder.stat().st_mode & stat.S_IWGRP)


def _write(path: Path, content: str) -> None:
    with _replacing(path) as scratch:
        scratch.write_text(content)


def _age(path: Path) -> float:
    """Seconds since a file was last written or kept; 0 for one that has just gone."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return 0.0


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        read = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return read if isinstance(read, dict) else None
