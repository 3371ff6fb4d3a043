"""GUARD's prompt classifier: a small network on the served model's hidden states, one a policy.

`p(forget | prompt)` by three layers, h to 256 to 256 to 2 with ReLU between (GUARD, arXiv
2505.13312, prompt classification; sizes from its re-implementation). In its spirit: features are
standardised first; each policy has a network of its own, so that another request trains nothing
anew; and the threshold is set on prompts that nothing was trained on, where the method takes 0.5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from classifiers.encoder import Vectors
from classifiers.optional import optional

VERSION = "prompt-classifier-1"
SUFFIX = ".safetensors"
_LAYERS = 3


@dataclass(frozen=True, slots=True)
class PromptClassifier:
    """`layers`: weight (out, in) and bias (out,) of each; `mean`, `spread` (h,): of the features.

    `policy`: the content hash of the policy that it was trained for; `model`: the name of the
    `HiddenStates` that it reads; `threshold`: the log-odds from which a prompt counts, at `target`
    false alarms on held-out prompts, `high` the upper 95 % bound there (one-sided). In log-odds,
    since a network of this size is so sure of all it was shown that its probabilities are 1.
    `corpora`: hashes of what it was trained and calibrated on.
    """

    policy: str
    model: str
    threshold: float
    target: float
    high: float
    corpora: Mapping[str, str]
    mean: Vectors
    spread: Vectors
    layers: tuple[tuple[Vectors, Vectors], ...]

    def odds(self, features: Vectors) -> npt.NDArray[np.float64]:
        """(n, h) to (n,): log-odds that each prompt asks for what the policy forgets."""
        x = (features - self.mean) / self.spread
        for place, (weight, bias) in enumerate(self.layers):
            x = x @ weight.T + bias
            if place + 1 < len(self.layers):
                x = np.maximum(x, 0.0)
        found: npt.NDArray[np.float64] = (x[:, 1] - x[:, 0]).astype(np.float64)
        return found

    def probabilities(self, features: Vectors) -> npt.NDArray[np.float64]:
        """(n, h) to (n,), in [0, 1]: the same as probabilities."""
        found: npt.NDArray[np.float64] = 1.0 / (
            1.0 + np.exp(-np.clip(self.odds(features), -60, 60))
        )
        return found

    def save(self, path: Path) -> None:
        """As safetensors with its record beside the numbers. Raises OSError."""
        tensors = {"mean": self.mean, "spread": self.spread}
        for place, (weight, bias) in enumerate(self.layers):
            tensors |= {f"{place}.weight": weight, f"{place}.bias": bias}
        record = {
            "version": VERSION, "policy": self.policy, "model": self.model,
            "threshold": self.threshold, "target": self.target, "high": self.high,
            "corpora": dict(self.corpora),
        }  # fmt: skip
        optional("safetensors.numpy").save_file(
            {name: np.ascontiguousarray(one) for name, one in tensors.items()},
            path,
            metadata={"record": json.dumps(record)},
        )


def load(path: Path) -> PromptClassifier:
    """One that `save` wrote. Raises ValueError when the file is none, and OSError."""
    safetensors = optional("safetensors")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            record = json.loads(file.metadata()["record"])
            if record["version"] != VERSION:
                raise ValueError(f"{path} is of version {record['version']}, not {VERSION}")
            held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return PromptClassifier(
            str(record["policy"]),
            str(record["model"]),
            float(record["threshold"]),
            float(record["target"]),
            float(record["high"]),
            {str(name): str(value) for name, value in record["corpora"].items()},
            held["mean"],
            held["spread"],
            tuple((held[f"{i}.weight"], held[f"{i}.bias"]) for i in range(_LAYERS)),
        )
    except (KeyError, TypeError, AttributeError, safetensors.SafetensorError) as error:
        raise ValueError(f"{path} is no prompt classifier") from error
