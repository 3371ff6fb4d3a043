"""Carries an encoder's cosines over to the shipped encoder's scale, by quantiles.

A cosine of the one says what a cosine of the other says that as many pairs of texts reach: at any
threshold a policy states, the encoders then take as many questions about invented people for one
another. The texts are English: what the curve says of pairs in two languages is measured in
docs/benchmarks.md, not calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from classifiers.scale import Scale
from classifiers.training.corpus import Corpus
from classifiers.training.train import Embed

LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98)
PROBES = 2000
SUBJECTS = 100
_APART = 1e-4  # between two points of a curve, so that it rises
_END = 1.0 + 1e-6  # a text with itself, by rounding


def matched(own: Embed, shipped: Embed, made: Corpus) -> Scale:
    """The scale of `own`: every probe of `made` (the first PROBES) with every stored prompt (of the
    first SUBJECTS), by both encoders."""
    probes = [probe.text for probe in made.probes[:PROBES]]
    stored = [text for one in made.subjects[:SUBJECTS] for text in one.prompts]
    theirs, reference = ((embed(probes) @ embed(stored).T).ravel() for embed in (own, shipped))
    return by_quantiles(theirs, reference)


def by_quantiles(
    own: npt.NDArray[np.floating],
    shipped: npt.NDArray[np.floating],
    levels: Sequence[float] = LEVELS,
) -> Scale:
    """The curve through the cosines of `own` that as many pairs reach as reach each of `levels` by
    `shipped`; levels that all or hardly any reach are left out, and 1 stays 1."""
    ranked = np.sort(own)
    points = [(-1.0, -1.0)]
    for level in levels:
        below = int((shipped < level).sum())
        if not 0 < below < len(shipped) - 1:
            continue
        cosine = float(ranked[int(below * len(ranked) / len(shipped))])
        if points[-1][0] + _APART < cosine < 1.0 - _APART:
            points.append((cosine, level))
    points.append((_END, _END))
    return Scale(*(tuple(side) for side in zip(*points, strict=True)))
