"""DRAGON's DDS and DUS over forget01, 05 and 10, of what a guard does to a model that has every
answer by heart.

Such a model gives each stored answer word for word, so that nothing but the guard moves the
figures: a flagged prompt is answered with the policy's refusal, every other one with the answer.
Forgotten are the paraphrased questions, retained the original questions about all other authors;
utility is the harmonic mean of the ROUGE-L recalls on retained authors, real authors and world
facts (the paper's has probabilities and truth ratios besides, which a text client does not see).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from bench.detection.tofu import FORGET, Row, Tofu
from guard.evaluate.metrics import (
    deviation_score,
    dynamic_deviation,
    dynamic_utility,
    rouge_l,
)
from guard.policy import Policy

REFUSAL = Policy("defaults").message
Flags = Callable[[str, Sequence[Row]], Sequence[bool]]
"""Of a forget split and prompts: which an arm refuses."""


def recall(answers: Sequence[str], flagged: Sequence[bool]) -> float:
    """Mean ROUGE-L recall of the refusals of flagged prompts, and of the answers themselves."""
    return statistics.fmean(
        rouge_l(answer, REFUSAL).recall if refused else 1.0
        for answer, refused in zip(answers, flagged, strict=True)
    )


def table(tofu: Tofu, arms: dict[str, Flags]) -> dict[str, Any]:
    """For every arm DS and utility after each request, DDS and DUS."""
    return {arm: _course(tofu, flags) for arm, flags in arms.items()}


def _course(tofu: Tofu, flags: Flags) -> dict[str, Any]:
    scores, utilities = {}, {}
    others = {name: (rows, tofu.answers_of(name)) for name, rows in tofu.others().items()}
    for split in FORGET:
        gone, kept = tofu.paraphrases(split), tofu.retained(split)
        told = [row["answer"] for row in tofu.full]
        forgotten = recall(told[len(kept) :], flags(split, gone))
        retained = recall(told[: len(kept)], flags(split, kept))
        scores[split] = deviation_score(forgotten, retained)
        known = [retained, *(recall(said, flags(split, rows)) for rows, said in others.values())]
        utilities[split] = statistics.harmonic_mean(known)
    return {
        "ds": {split: round(score, 2) for split, score in scores.items()},
        "utility": {split: round(value, 4) for split, value in utilities.items()},
        "dds": round(dynamic_deviation(list(scores.values())), 4),
        "dus": round(dynamic_utility(list(utilities.values())), 4),
    }
