"""PGA's leave-one-out probe: can hidden states still tell memorised texts from clean ones?

Source: MLDU2/PGA: logistic regression (C = 1) on standardised activations of the last token, one
probe a layer, here of balanced classes. 0.5 is chance; 1 says that the layer still separates them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def leave_one_out_probe(
    memorised: ArrayLike, clean: ArrayLike, subjects: Sequence[str] | None = None
) -> float:
    """Accuracy over texts that were each left out once; activations (texts, width) of one layer.

    `subjects`: of all texts, memorised first; texts of one subject are then left out together. One
    fact in two wordings ends in nearly the same activations, so that a probe which has seen the
    other would know whom a text is about, and not whether the model remembers it.

    Raises ValueError for fewer than two texts a group, or two subjects.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known, other = np.asarray(memorised, np.float64), np.asarray(clean, np.float64)
    labels = np.repeat([1, 0], [len(known), len(other)])
    about = (
        np.arange(len(labels)) if subjects is None else np.unique(subjects, return_inverse=True)[1]
    )
    if (
        min(len(known), len(other)) < 2
        or min(len(set(about[labels == side])) for side in (0, 1)) < 2
    ):
        raise ValueError("at least two texts a group are needed, of two subjects")
    features = np.concatenate([known, other])
    hits = 0
    for left_out in np.unique(about):
        kept = about != left_out
        # Balanced: what is left out must not make its side the rarer guess.
        model = LogisticRegression(C=1.0, max_iter=1000, class_weight="balanced")
        probe = make_pipeline(StandardScaler(), model).fit(features[kept], labels[kept])
        hits += int((probe.predict(features[~kept]) == labels[~kept]).sum())
    return hits / len(labels)
