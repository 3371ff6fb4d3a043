"""Gradients by differences of the fourth order: what the arithmetic of methods is held to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]
_STEP = 1e-4  # the error is of its fourth power, 1e-16, and rounding adds about 1e-12


def assert_same(
    ours: Callable[..., Tensor], theirs: Callable[..., Array], arguments: Sequence[Array]
) -> None:
    """Values, and the gradient of a random weighting of them, agree to 1e-6 in float64."""
    tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arguments]
    value, expected = ours(*tensors), theirs(*arguments)
    np.testing.assert_allclose(value.detach().numpy(), expected, rtol=1e-6, atol=1e-9)
    weights = np.random.default_rng(1).normal(size=expected.shape)
    grads = torch.autograd.grad((value * torch.tensor(weights)).sum(), tensors, allow_unused=True)
    for i, grad in enumerate(grads):
        found = np.zeros_like(arguments[i]) if grad is None else grad.numpy()
        numeric = _gradient(lambda *a: float((theirs(*a) * weights).sum()), arguments, i)
        np.testing.assert_allclose(found, numeric, rtol=1e-6, atol=1e-9)


def _gradient(function: Callable[..., float], arguments: Sequence[Array], which: int) -> Array:
    gradient = np.zeros_like(arguments[which])
    for place in np.ndindex(gradient.shape):
        found = 0.0
        for steps, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
            moved = [a.copy() for a in arguments]
            moved[which][place] += steps * _STEP
            found += weight * function(*moved)
        gradient[place] = found / (12 * _STEP)
    return gradient
