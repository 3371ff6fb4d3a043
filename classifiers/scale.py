"""One scale of cosines for every encoder: that of the encoder that ships.

Encoders spread their cosines differently: two unrelated questions have 0.05 with one and 0.75
with another. Thresholds that policies and this package state (0.8 for a prompt, 0.6 for a topic)
are meant on the shipped encoder's scale; another's cosines are carried over to it by a rising,
piecewise linear curve, fitted where both see the same texts (classifiers/training/scale.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Scale:
    """`own[i]`, a cosine of the encoder, says what `shared[i]` says on the scale that thresholds
    are stated on. Both rise strictly. Raises ValueError where they do not, or are fewer than two
    or not as many."""

    own: tuple[float, ...]
    shared: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.own) != len(self.shared) or len(self.own) < 2:
            raise ValueError("a scale needs two points, and as many on either side")
        if not (_rises(self.own) and _rises(self.shared)):
            raise ValueError("a scale must rise")

    def to_shared(self, cosine: float) -> float:
        """What an encoder's cosine says."""
        return cosine if self is SAME else float(np.interp(cosine, self.own, self.shared))

    def all_to_shared(self, cosines: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """The same for an array of any shape."""
        return cosines if self is SAME else np.interp(cosines, self.own, self.shared)

    def to_own(self, cosine: float) -> float:
        """The encoder's cosine that says as much."""
        return cosine if self is SAME else float(np.interp(cosine, self.shared, self.own))


def _rises(values: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(values))


SAME = Scale((-1.0, 1.0), (-1.0, 1.0))
"""Of the encoder that ships."""
