"""The first stage: clears what nothing after it could flag, without the encoder.

It can only clear. A window of a prompt is cleared when it is far from every stored prompt by static
embeddings (`static.py`), farther than the margin by which these fall short of the encoder, and when
its words alone rule out the facts signal, whatever its cosine. Anything else goes on: unknown
tokens, subjects of which only embeddings are stored, a first stage that is not ready.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from classifiers.encoder import SHIPPED
from classifiers.identity import Identities
from classifiers.index import PromptIndex
from classifiers.signals import CLEARED, Signal
from classifiers.static import StaticEncoder
from classifiers.windows import TextChunk

PACKAGED = Path(__file__).with_name("first_stage.json")


@dataclass(frozen=True, slots=True)
class Margin:
    """How far a static cosine may lie below a policy's threshold before a window is cleared.

    `loss`: the share of the prompts at or above their threshold that were cleared at this margin
    in calibration, `high` its upper 95 % bound (one-sided); `rows`: how many there were; `corpus`:
    hash of what it was calibrated on; `encoder`: the model that it was calibrated with.
    """

    margin: float
    loss: float
    high: float
    rows: int
    corpus: str
    encoder: str = SHIPPED

    def saved(self) -> str:
        """As JSON."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, indent=1)


def load(path: Path = PACKAGED) -> Margin:
    """The margin in a file. Raises ValueError when it is none, and OSError."""
    try:
        row = json.loads(path.read_text())
        return Margin(
            float(row["margin"]),
            float(row["loss"]),
            float(row["high"]),
            int(row["rows"]),
            str(row["corpus"]),
            str(row.get("encoder", SHIPPED)),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is no margin of the first stage") from error


@cache
def packaged() -> Margin:
    """The margin that ships with the package."""
    return load()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The subjects in force for one caller, and the cosine that each asks for. False without any.

    `lowest`, `highest`: of all of them.
    """

    cosine: Mapping[int, float]
    subjects: frozenset[int]
    lowest: float
    highest: float

    @classmethod
    def of(cls, cosine: Mapping[int, float], subjects: frozenset[int]) -> Thresholds:
        """Those of `subjects` that `cosine` has."""
        known = frozenset(cosine)
        here = subjects if subjects <= known else subjects & known
        values = [cosine[one] for one in here]
        return cls(cosine, here, min(values, default=1.0), max(values, default=1.0))

    def __bool__(self) -> bool:
        return bool(self.subjects)


class FirstStage:
    """Clears windows of prompts for the subjects of one detector. Callable from any thread."""

    def __init__(
        self,
        static: StaticEncoder,
        prompts: Iterable[tuple[int, Sequence[TextChunk]]],
        identities: Identities,
        *,
        blind: frozenset[int] = frozenset(),
        margin: Margin | None = None,
    ) -> None:
        """`prompts`: the windows of each subject's stored prompts; `blind`: subjects that the first
        stage cannot judge, so that nothing is cleared where they are in force."""
        self._static = static
        self._identities = identities
        self._margin = (margin or packaged()).margin
        texts: list[str] = []
        owners: list[int] = []
        for owner, chunks in prompts:
            texts += [chunk.text for chunk in chunks]
            owners += [owner] * len(chunks)
        vectors, whole = static.encode(texts)
        held = np.array(owners, dtype=np.int64)
        # A stored prompt without a vector would be missed: its subject is not judged here.
        self._blind = blind | set(held[~whole].tolist())
        self._index = PromptIndex.build(vectors[whole], held[whole])

    def left(self, windows: Sequence[str], in_force: Thresholds) -> tuple[list[str], Signal | None]:
        """The windows that the encoder has to look at; where there are none, a signal that did not
        fire, with the largest static cosine."""
        if not windows or not self._blind.isdisjoint(in_force.subjects):
            return list(windows), None
        vectors, whole = self._static.encode(windows)
        # One threshold for all: the nearest prompt decides, and the search may stop at once.
        alike = in_force.lowest == in_force.highest
        floor = np.inf if alike else in_force.lowest - self._margin
        best = (-1.0, next(iter(in_force.subjects)))
        kept: list[str] = []
        tells_nothing = self._identities.rules_out(windows)
        found = self._index.search(vectors, allowed=in_force.subjects, floor=floor)
        for text, is_whole, row in zip(windows, whole.tolist(), found, strict=True):
            is_far = is_whole and self._is_far(row, in_force)
            if is_far and (tells_nothing or not self._could_mean(text, in_force)):
                best = max([best, *((score, subject) for subject, score in row[:1])])
            else:
                kept.append(text)
        return kept, None if kept else Signal(CLEARED, best[1], best[0], False)

    def _is_far(self, near: Iterable[tuple[int, float]], in_force: Thresholds) -> bool:
        return all(score < in_force.cosine[subject] - self._margin for subject, score in near)

    def _could_mean(self, text: str, in_force: Thresholds) -> bool:
        return self._identities.could_mean(text, in_force.subjects)
