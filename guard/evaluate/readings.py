"""What was read of models and their weights, each once: kept on disk, as answers are."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guard.errors import EvaluateError
from guard.evaluate.arms.base import Arm, Losses
from guard.evaluate.kept_lines import line, lines_of
from guard.evaluate.provenance import measuring_code
from guard.evaluate.rows import Message, content_hash

Pair = tuple[tuple[Message, ...], str]
Array = NDArray[np.float64]
AT_ONCE = 64  # answers whose losses are read before they are written down


class Readings:
    """Arrays by arm and by what they were read for, one JSON Lines file per arm identity.

    Keys hold the code that measures: figures of another state of it are not this one's. `folder`:
    None keeps them for as long as the object lives.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._kept: dict[str, dict[str, Array]] = {}

    def losses(self, arm: Arm, pairs: Sequence[Pair]) -> list[Losses] | None:
        """What `arm` thinks of given answers; None where it does not tell. Raises EvaluateError
        where the arm or the folder fails."""
        keys = [_key("losses", pair) for pair in pairs]
        kept = self._load(arm.identity)
        missing = {k: pair for k, pair in zip(keys, pairs, strict=True) if k not in kept}
        asked = list(missing.items())
        for at in range(0, len(asked), AT_ONCE):
            part = asked[at : at + AT_ONCE]
            found = arm.losses([pair for _, pair in part])
            if found is None:
                return None
            arrays = {key: _packed(one) for (key, _), one in zip(part, found, strict=True)}
            self._keep(arm.identity, arrays)
        return [_unpacked(kept[key]) for key in keys]

    def figures(self, arm: Arm, what: Sequence[Any], read: Callable[[], Sequence[float]]) -> Array:
        """The figures that `read` makes; `what` says of what they are, as JSON."""
        key = _key("figures", what)
        if key not in self._load(arm.identity):
            self._keep(arm.identity, {key: np.array(read(), np.float64)})
        return self._load(arm.identity)[key]

    def _keep(self, identity: str, arrays: dict[str, Array]) -> None:
        self._load(identity).update(arrays)
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._path(identity).open("ab") as file:
                file.writelines(line({"key": k, **_told(array)}) for k, array in arrays.items())
        except OSError as error:
            raise EvaluateError(f"{self._folder}: {error}") from error

    def _load(self, identity: str) -> dict[str, Array]:
        if identity not in self._kept:
            rows = [] if self._folder is None else lines_of(self._path(identity))
            self._kept[identity] = {row["key"]: _read(row) for row in rows}
        return self._kept[identity]

    def _path(self, identity: str) -> Path:
        return (self._folder or Path()) / f"{identity}.jsonl"


def _key(kind: str, what: Any) -> str:
    return content_hash([measuring_code(), kind, what])


def _packed(found: Losses) -> Array:
    return np.stack([found.log_probs, found.mean, found.deviation, found.greedy])


def _unpacked(array: Array) -> Losses:
    log_probs, mean, deviation, greedy = array
    return Losses(log_probs, mean, deviation, greedy > 0)


def _told(array: Array) -> dict[str, Any]:
    """Bytes, not decimals: JSON knows no infinity."""
    return {"shape": array.shape, "values": b64encode(array.tobytes()).decode()}


def _read(row: dict[str, Any]) -> Array:
    return np.frombuffer(b64decode(row["values"]), np.float64).reshape(row["shape"])
