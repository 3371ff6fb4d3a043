"""Linear probes: which direction of a hidden state tells memorised rows from clean ones."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

_STEPS = 200


def fit_probe(memorised: Tensor, clean: Tensor, c: float = 1.0) -> Tensor:
    """The unit readout [size] in raw space of an L2-regularised logistic regression.

    Both inputs are [rows, size]. Features are standardised; `c` is the inverse weight of the
    penalty, as scikit-learn has it. Computed in float64 by L-BFGS.
    """
    features = torch.cat([memorised, clean]).detach().double()
    target = torch.cat([torch.ones(len(memorised)), torch.zeros(len(clean))])
    target = target.to(features)
    spread = features.std(0, correction=0)
    spread = torch.where(spread == 0, torch.ones_like(spread), spread)
    scaled = (features - features.mean(0)) / spread
    weights = torch.zeros(scaled.shape[1] + 1, dtype=torch.float64, device=features.device)
    weights.requires_grad_(True)
    solver = torch.optim.LBFGS([weights], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        scores = scaled @ weights[:-1] + weights[-1]
        fit = binary_cross_entropy_with_logits(scores, target, reduction="sum")
        total = c * fit + weights[:-1].square().sum() / 2
        total.backward()
        return total

    with torch.enable_grad():
        solver.step(loss)
    readout = weights.detach()[:-1] / spread
    return readout / readout.norm().clamp(min=1e-12)


def probe_accuracy(readout: Tensor, memorised: Tensor, clean: Tensor) -> float:
    """Share of rows on the right side of the midpoint of the two means along the readout."""
    high, low = memorised.double() @ readout, clean.double() @ readout
    middle = (high.mean() + low.mean()) / 2
    right = (high > middle).sum() + (low <= middle).sum()
    return float(right) / (len(high) + len(low))
