"""TOFU's figures from evaluation logs in the format of its authors.

A log is one JSON object with a section per split (`eval_log.json` is the retain set), each holding
per-item losses and ROUGE recalls. Source: locuslab/tofu, aggregate_eval_stat.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from guard.errors import EvaluateError
from guard.evaluate.metrics.forget_quality import ForgetQuality, forget_quality
from guard.evaluate.metrics.model_utility import model_utility
from guard.evaluate.metrics.probability import normalised_probability, probability
from guard.evaluate.metrics.truth_ratio import (
    Variant,
    forget_truth_ratio,
    retain_truth_ratio,
    truth_ratios,
)

VARIANT: Variant = "legacy-aggregate"
SECTIONS = {
    "retain": "eval_log.json",
    "authors": "eval_real_author_wo_options.json",
    "facts": "eval_real_world_wo_options.json",
    "forget": "eval_log_forget.json",
}
# Splits that no wording was trained of: probabilities are shares among the answers given.
_NORMALISED = ("authors", "facts")


@dataclass(frozen=True, slots=True)
class Split:
    """One section: everything per item, losses as mean negative log-likelihood per token."""

    right: NDArray[np.float64]  # (items,) of the answer asked for
    paraphrased: NDArray[np.float64]  # (items,)
    wrong: NDArray[np.float64]  # (items, answers)
    rouge: NDArray[np.float64]  # (items,) ROUGE-L recall

    @property
    def ratios(self) -> NDArray[np.float64]:
        """Truth ratios, variant `legacy-aggregate`."""
        return truth_ratios(self.paraphrased, self.wrong, VARIANT)


@dataclass(frozen=True, slots=True)
class Parts:
    """Probability, ROUGE-L recall and truth ratio of one split."""

    probability: float
    rouge: float
    truth_ratio: float


class TofuLog:
    """A log read and checked. Raises EvaluateError for a file that is not one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            content: Any = orjson.loads(path.read_bytes())
            self.splits = {name: _split(content[key]) for name, key in SECTIONS.items()}
        except OSError as error:
            raise EvaluateError(f"{path}: {error.strerror}") from error
        except (
            orjson.JSONDecodeError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
        ) as error:
            raise EvaluateError(f"{path}: not an evaluation log of TOFU ({error})") from error

    def parts(self, name: str) -> Parts:
        """The three figures of a split: `retain`, `authors`, `facts` or `forget`."""
        split = self.splits[name]
        if name in _NORMALISED:
            likely = normalised_probability(split.right, split.wrong)
        else:
            likely = probability(split.right)
        ratio = (
            forget_truth_ratio(split.ratios)
            if name == "forget"
            else retain_truth_ratio(split.ratios, VARIANT)
        )
        return Parts(likely, float(split.rouge.mean()), ratio)

    def utility(self) -> float:
        """Model utility over retain, authors and facts."""
        kept = [self.parts(name) for name in ("retain", "authors", "facts")]
        return model_utility(
            figure for part in kept for figure in (part.probability, part.rouge, part.truth_ratio)
        )

    def quality_against(self, retain: TofuLog) -> ForgetQuality:
        """Forget quality with a retain model's log. Raises EvaluateError for other items."""
        try:
            return forget_quality(self.splits["forget"].ratios, retain.splits["forget"].ratios)
        except ValueError as error:
            raise EvaluateError(f"{self.path}, {retain.path}: {error}") from error


def _split(section: dict[str, Any]) -> Split:
    """Raises KeyError or ValueError for a section with missing or crooked columns."""
    items = list(section["avg_gt_loss"])

    def column(name: str) -> NDArray[np.float64]:
        rows = section[name]
        return np.array([rows[item] for item in items], np.float64)

    split = Split(
        right=column("avg_gt_loss"),
        paraphrased=column("avg_paraphrased_loss"),
        wrong=column("average_perturb_loss"),
        rouge=column("rougeL_recall"),
    )
    if not items or split.wrong.ndim != 2:
        raise ValueError("no items, or items without wrong answers")
    return split
