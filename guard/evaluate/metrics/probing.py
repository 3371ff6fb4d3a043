"""PGA's leave-one-out probe: can hidden states still tell memorised texts from clean ones?

Source: MLDU2/PGA: logistic regression (C = 1) on standardised activations of the last token, one
probe a layer. 0.5 is chance; 1 says that the layer still separates them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def leave_one_out_probe(memorised: ArrayLike, clean: ArrayLike) -> float:
    """Accuracy over texts that were each left out once; activations (texts, width) of one layer.

    Raises ValueError for fewer than two texts a group.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known, other = np.asarray(memorised, np.float64), np.asarray(clean, np.float64)
    if min(len(known), len(other)) < 2:
        raise ValueError("at least two texts a group are needed")
    features = np.concatenate([known, other])
    labels = np.repeat([1, 0], [len(known), len(other)])
    hits = 0
    for left_out in range(len(labels)):
        kept = np.arange(len(labels)) != left_out
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))
        probe.fit(features[kept], labels[kept])
        hits += int(probe.predict(features[[left_out]])[0] == labels[left_out])
    return hits / len(labels)
