"""A small vocabulary, sets on a shelf, and sampling parameters, for the plugin's tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from guard.restrict.folding import fold_words
from guard.restrict.phrases import Phrase, join
from guard.restrict.shelf import Manifest, Shelf, shard_name
from guard.restrict.vllm_plugin.arguments import as_xargs
from guard.restrict.vllm_plugin.engine import Engine
from guard.restrict.vocabulary import build_vocabulary

END = 0
PIECES = [
    *(bytes([b]) for b in range(256)),
    *(t.encode() for t in (" John", " Smith", "Smi", "th", " Ana", " Li", "Li", " the", " blue")),
]
VOCABULARY = build_vocabulary([None, *PIECES])


def token(piece: str) -> int:
    return PIECES.index(piece.encode()) + 1


def phrase(text: str) -> Phrase:
    words = tuple(fold_words(text))
    return Phrase(join(words), True, "name", "p", words)


def publish(shelf: Shelf, *names: str) -> Manifest:
    phrases = [phrase(name) for name in names]
    return shelf.publish({shard_name(phrases): phrases})


def engine_on(path: Path, *, nodes: int = 1 << 16, **more: Any) -> Engine:
    return Engine(Shelf(path), VOCABULARY, end=END, nodes=nodes, name="e", **more)


def params(*sets: str, soft: Sequence[str] = (), lead: bool = False, **extra: Any) -> Any:
    """Sampling parameters as the plugin reads them."""
    return SimpleNamespace(extra_args={**as_xargs(sets, soft, lead=lead), **extra})
