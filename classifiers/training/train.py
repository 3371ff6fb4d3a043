"""Trains the head on one corpus and sets its threshold on another, of other people and wording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from classifiers.encoder import SHIPPED, Vectors
from classifiers.head import Head, features, fitted
from classifiers.profile import Profile, Prompt
from classifiers.scale import SAME, Scale
from classifiers.training.bounds import upper_bound
from classifiers.training.corpus import Corpus

Embed = Callable[[Sequence[str]], Vectors]
"""Texts to float32 (n, d), L2-normalised."""

TARGET = 0.001


@dataclass(frozen=True, slots=True)
class Scored:
    """The probes of a corpus as rows of features, in their order."""

    rows: npt.NDArray[np.float64]
    wanted: npt.NDArray[np.bool_]
    kinds: tuple[str, ...]


def scored(made: Corpus, embed: Embed, scale: Scale = SAME) -> Scored:
    """Features of every probe with its subject; `scale`: that of the cosines."""
    profiles = [Profile(one.names, (*one.prompts, *one.answers)) for one in made.subjects]
    prompts = [text for one in made.subjects for text in one.prompts]
    vectors = embed(prompts)
    ends = np.cumsum([len(one.prompts) for one in made.subjects])
    held = np.split(vectors, ends[:-1])
    asked = embed([probe.text for probe in made.probes])
    rows = [
        features(
            scale.to_shared(float((held[probe.subject] @ vector).max())),
            profiles[probe.subject].evidence(Prompt.read(probe.text)),
        )
        for probe, vector in zip(made.probes, asked, strict=True)
    ]
    return Scored(
        np.array(rows),
        np.array([probe.wanted for probe in made.probes]),
        tuple(probe.kind for probe in made.probes),
    )


def train(
    train_on: Corpus,
    calibrate_on: Corpus,
    embed: Embed,
    *,
    target: float = TARGET,
    encoder: str = SHIPPED,
    scale: Scale = SAME,
) -> Head:
    """The head of `train_on`, with the threshold that keeps false alarms at `target` on
    `calibrate_on`. `encoder`: the model behind `embed`, and the `scale` of its cosines."""
    seen = scored(train_on, embed, scale)
    weights, bias = fitted(seen.rows, seen.wanted)
    head = Head(weights, bias, 0.5, target, {"train": train_on.hash}, encoder, scale)
    return calibrated(head, calibrate_on, embed, target=target)


def calibrated(head: Head, corpus: Corpus, embed: Embed, *, target: float = TARGET) -> Head:
    """The head with the threshold at which at most `target` of the unwanted probes count, with 95 %
    certainty where there are enough of them."""
    found = scored(corpus, embed, head.scale)
    chances = probabilities(head, found)[~found.wanted]
    allowed = int(target * len(chances))
    while allowed and upper_bound(allowed, len(chances)) > target:
        allowed -= 1
    ranked = np.sort(chances)[::-1]
    # Just above the first that must not count, by more than rounding.
    threshold = min(float(ranked[allowed]) + 1e-4, 1.0)
    corpora = {**head.corpora, "calibrate": corpus.hash}
    return replace(head, threshold=threshold, target=target, corpora=corpora)


def probabilities(head: Head, found: Scored) -> npt.NDArray[np.float64]:
    """What the head says of every row."""
    odds = found.rows @ np.array(head.weights) + head.bias
    result: npt.NDArray[np.float64] = 1.0 / (1.0 + np.exp(-odds))
    return result
