"""The trained head: how likely a prompt asks about a subject, from its cosine and its evidence.

One logistic regression for all subjects. It is trained on invented people (classifiers/training),
so that adding or withdrawing a subject trains nothing, and it looks at what a prompt has in common
with a subject, never at how the prompt is worded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from classifiers.encoder import SHIPPED, model_of
from classifiers.errors import OtherHead
from classifiers.profile import Evidence
from classifiers.scale import SAME, Scale

FEATURES = (
    "cosine", "title", "facts", "name_part", "same_date", "other_date", "others", "typed",
    "differs",
)  # fmt: skip
SCALE = 20.0  # bits
WRITTEN_BITS = 12.0  # of a title that is written as one, and no phrase that happens to be the same
MOST_DIFFERS = 3.0  # relations
MOST = 60.0  # bits; more than that of one kind proves nothing more
PACKAGED = Path(__file__).with_name("head.json")


@dataclass(frozen=True, slots=True)
class Head:
    """`weights` in the order of FEATURES, and `bias`: log-odds. `threshold`: the probability from
    which a prompt counts, at `target` false alarms; `corpora`: hashes of what it was trained and
    calibrated on; `encoder`: the model whose cosines it was trained on, and their `scale`."""

    weights: tuple[float, ...]
    bias: float
    threshold: float
    target: float
    corpora: Mapping[str, str]
    encoder: str = SHIPPED
    scale: Scale = SAME

    def probability(self, cosine: float, evidence: Evidence) -> float:
        """In [0, 1]."""
        odds = self.bias + sum(
            weight * value
            for weight, value in zip(self.weights, features(cosine, evidence), strict=True)
        )
        return float(1.0 / (1.0 + np.exp(-np.clip(odds, -60.0, 60.0))))

    def saved(self) -> str:
        """As JSON."""
        return json.dumps(
            {
                "features": FEATURES,
                "weights": self.weights,
                "bias": self.bias,
                "threshold": self.threshold,
                "target": self.target,
                "corpora": dict(self.corpora),
                "encoder": self.encoder,
                "scale": None if self.scale is SAME else asdict(self.scale),
            },
            indent=1,
        )


def features(cosine: float, evidence: Evidence) -> list[float]:
    """One row, in the order of FEATURES."""
    facts = max(0.0, evidence.facts - evidence.told)
    named = evidence.title + WRITTEN_BITS * evidence.written
    bits = (named, facts, evidence.name_part, evidence.others, evidence.typed)
    title, facts, name_part, others, typed = (min(one, MOST) / SCALE for one in bits)
    return [
        cosine, title, facts, name_part, evidence.same_date, evidence.other_date, others, typed,
        min(evidence.differs, MOST_DIFFERS),
    ]  # fmt: skip


def load(path: Path = PACKAGED) -> Head:
    """The head in a file. Raises ValueError when it is not one of this version, and OSError."""
    try:
        row = json.loads(path.read_text())
        if tuple(row["features"]) != FEATURES or len(row["weights"]) != len(FEATURES):
            raise ValueError(f"{path} was trained on other features")
        return Head(
            tuple(map(float, row["weights"])),
            float(row["bias"]),
            float(row["threshold"]),
            float(row["target"]),
            dict(row["corpora"]),
            # Before another encoder was to be had a head said nothing about it.
            str(row.get("encoder", SHIPPED)),
            _scale(row.get("scale")),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is no detector head") from error


def check_encoder(what: str, made_with: str, used: str) -> None:
    """Raise OtherHead where `what` was made with another model than that of the encoder `used`,
    given by its name."""
    if made_with != model_of(used):
        raise OtherHead(what, made_with, model_of(used))


def _scale(row: Mapping[str, list[float]] | None) -> Scale:
    if row is None:
        return SAME
    own, shared = (tuple(map(float, row[side])) for side in ("own", "shared"))
    return Scale(own, shared)


@cache
def packaged() -> Head:
    """The head that ships with the package."""
    return load()


def fitted(
    rows: npt.NDArray[np.float64], wanted: npt.NDArray[np.bool_], *, penalty: float = 1.0
) -> tuple[tuple[float, ...], float]:
    """Weights and bias of a logistic regression with an L2 penalty, by Newton's method.

    `rows`: (n, len(FEATURES)); `wanted`: (n,). Both classes count the same in sum.
    """
    held = np.c_[rows, np.ones(len(rows))]
    share = np.where(wanted, wanted.sum(), (~wanted).sum())
    weigh = len(rows) / (2.0 * share)
    ridge = np.eye(held.shape[1]) * penalty
    ridge[-1, -1] = 1e-6
    found = np.zeros(held.shape[1])
    for _ in range(100):
        guess = 1.0 / (1.0 + np.exp(-held @ found))
        slope = held.T @ (weigh * (guess - wanted)) + ridge @ found
        curve = (held * (weigh * guess * (1.0 - guess))[:, None]).T @ held + ridge
        step = np.linalg.solve(curve, slope)
        found -= step
        if np.abs(step).max() < 1e-10:
            break
    return tuple(found[:-1].tolist()), float(found[-1])
