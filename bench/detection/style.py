"""A control: does the wording alone, without the subject, tell the gating prompts apart?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from bench.detection.tofu import Row, Tofu

_SAMPLES = 1000


def style_control(
    tofu: Tofu, wanted: Mapping[str, Sequence[Row]], other: Mapping[str, Sequence[Row]]
) -> dict[str, Any]:
    """AUC on the gating prompts of a bag of words that was taught, on retained authors only, to
    tell TOFU's paraphrases from its original questions.

    Negatives are matched to positives by category, wording and length (they weigh as much in each
    such group; a group that one side lacks is left out), since longer titles alone tell the sides
    apart. The 95 % bounds are a bootstrap over authors.
    """
    paraphrased = [row.text for row in tofu.retained_paraphrases()]
    originals = [row.text for row in tofu.retained("forget10")][: len(paraphrased)]
    counts = CountVectorizer(ngram_range=(1, 2), min_df=2)
    rows = counts.fit_transform([*paraphrased, *originals])
    taught = LogisticRegression(max_iter=1000).fit(
        rows, [1] * len(paraphrased) + [0] * len(originals)
    )
    asked, labels, weights = [], [], []
    sides = _strata(wanted), _strata(other)
    for stratum in [one for one in sides[0] if one in sides[1]]:
        positives = sides[0][stratum]
        for group, label in ((positives, 1), (sides[1][stratum], 0)):
            asked += group
            labels += [label] * len(group)
            weights += [len(positives) / len(group)] * len(group)
    chances = taught.predict_proba(counts.transform([row.text for row in asked]))[:, 1]
    return _with_bounds(chances, np.array(labels), np.array(weights), [row.author for row in asked])


def _strata(groups: Mapping[str, Sequence[Row]]) -> dict[object, list[Row]]:
    """By category, wording (its first two words) and length."""
    found: dict[object, list[Row]] = {}
    for category, rows in groups.items():
        for row in rows:
            said = row.text.split()
            found.setdefault((category, *said[:2], len(said)), []).append(row)
    return found


def _with_bounds(
    chances: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    authors: Sequence[int | None],
) -> dict[str, Any]:
    owned = [(author, side) for author, side in zip(authors, labels, strict=True)]
    sides = [
        sorted({a for a, side in owned if side == which and a is not None}) for which in (1, 0)
    ]
    draw = np.random.default_rng(0)
    drawn = []
    for _ in range(_SAMPLES):
        times: dict[int | None, int] = {}
        for people in sides:
            for author in draw.choice(people, len(people)):
                times[int(author)] = times.get(int(author), 0) + 1
        counted = weights * np.array([times.get(author, 0) for author in authors])
        drawn.append(roc_auc_score(labels, chances, sample_weight=counted))
    low, high = np.percentile(drawn, (2.5, 97.5))
    auc = roc_auc_score(labels, chances, sample_weight=weights)
    return {"auc": round(float(auc), 4), "low": round(float(low), 4), "high": round(float(high), 4)}
