"""Projections of an update away from what costs what is retained. Vectors are flat, [n]."""

from __future__ import annotations

import torch
from torch import Tensor

_ROUNDS = 200


def orthonormal(columns: Tensor, eps: float) -> Tensor:
    """A basis [n, rank] of the span of `columns` [n, k].

    A direction of which less than `eps` of its length is new is taken to be in the span already.
    """
    basis: list[Tensor] = []
    for column in columns.unbind(1):
        length = column.norm()
        if not length > 0:
            continue
        left = column / length
        for _ in range(2):  # once more against rounding
            for known in basis:
                left = left - (known @ left) * known
        if left.norm() > eps:
            basis.append(left / left.norm())
    return torch.stack(basis, 1) if basis else columns[:, :0]


def off_span(vector: Tensor, basis: Tensor) -> Tensor:
    """The part of `vector` that is orthogonal to the basis [n, rank]."""
    for _ in range(2):
        vector = vector - basis @ (basis.T @ vector)
    return vector


def into_cone(vector: Tensor, normals: Tensor) -> Tensor:
    """argmin |z - vector| such that normals^T z >= 0; normals [n, k].

    Solved exactly in its dual, vector + normals x with x >= 0, by the active sets of Lawson and
    Hanson; k is small.
    """
    lengths = normals.norm(dim=0)
    normals = normals[:, lengths > 0] / lengths[lengths > 0]
    gram, slack = (normals.T @ normals).double(), (normals.T @ vector).double()
    return vector + normals @ _non_negative(gram, slack).to(vector)


def _non_negative(gram: Tensor, linear: Tensor) -> Tensor:
    """argmin x^T G x / 2 + c^T x over x >= 0."""
    x = torch.zeros_like(linear)
    active = torch.zeros_like(linear, dtype=torch.bool)
    tolerance = 1e-12 * max(1.0, float(linear.abs().max())) if len(linear) else 0.0
    for _ in range(_ROUNDS):
        slope = -(gram @ x + linear)
        slope[active] = -torch.inf
        if not len(x) or float(slope.max()) <= tolerance:
            break
        active[int(slope.argmax())] = True
        while True:
            wish = torch.zeros_like(x)
            wish[active] = -torch.linalg.pinv(gram[active][:, active]) @ linear[active]
            below = active & (wish <= 0)
            if not below.any():
                x = wish
                break
            share = (x[below] / (x[below] - wish[below])).min()
            x = x + share * (wish - x)
            active &= x > 1e-15
            x = x * active
    return x
