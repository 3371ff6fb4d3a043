"""Sets the first stage's margin: by how much a static cosine may fall short of a threshold, so that
at most a target share of the prompts that the encoder finds are cleared unseen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from classifiers.clearing import Margin
from classifiers.encoder import Vectors
from classifiers.static import StaticEncoder
from classifiers.training.bounds import upper_bound
from classifiers.training.corpus import Corpus
from classifiers.training.train import Embed

THRESHOLDS = (0.7, 0.75, 0.8, 0.85, 0.9)  # cosines that policies ask for
STEP = 0.01


def shortfalls(made: Corpus, embed: Embed, static: StaticEncoder) -> npt.NDArray[np.float64]:
    """Of every probe and threshold at which the encoder finds it: how far its largest static cosine
    lies below the threshold. Negative above it."""
    stored = [text for one in made.subjects for text in one.prompts]
    probes = list(dict.fromkeys(probe.text for probe in made.probes))
    exact = _cosines(embed(probes), embed(stored))
    rough = _cosines(static.encode(probes)[0], static.encode(stored)[0])
    found = [threshold - rough[exact >= threshold] for threshold in THRESHOLDS]
    return np.asarray(np.concatenate(found), dtype=np.float64)


def calibrated(short: Sequence[npt.NDArray[np.float64]], target: float, corpus: str) -> Margin:
    """The least margin, in steps of `STEP`, at which at most `target` of all rows are cleared."""
    rows = np.concatenate(short)
    margin = STEP
    while (rows > margin).mean() > target:
        margin += STEP
    lost = int((rows > margin).sum())
    high = upper_bound(lost, len(rows))
    return Margin(round(margin, 2), lost / len(rows), high, len(rows), corpus)


def _cosines(asked: Vectors, stored: Vectors) -> npt.NDArray[np.float32]:
    """Of each asked the largest with a stored one."""
    best: npt.NDArray[np.float32] = (asked @ stored.T).max(axis=1)
    return best
