"""OFMU: gradient and curvature of the inner level, and a short run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from guard.distil.procedures.ofmu import OFMUStepper, hessian_product, phi_gradient
from tests.distil.conftest import MakeJob

RNG = np.random.default_rng(7)


def quadratics(size: int = 4) -> tuple[list[Tensor], Any, Any]:
    """Weights in two pieces, smooth losses of them, and the same as one function."""
    a, b = (torch.tensor(RNG.normal(size=(size, size))) for _ in range(2))

    def both(w: Tensor) -> tuple[Tensor, Tensor]:
        return (a @ w).square().sum() + w.sin().sum(), (b @ w - 1).square().sum()

    whole = torch.tensor(RNG.normal(size=size))
    pieces = [whole[:1].clone().requires_grad_(), whole[1:].clone().requires_grad_()]
    return pieces, lambda: both(torch.cat(pieces)), both


def test_ofmu_gradient_and_curvature() -> None:
    """Against torch's own second and third derivatives, and differences of Phi itself."""
    pieces, losses, both = quadratics()
    at = torch.cat(pieces).detach()

    def phi(w: Tensor) -> Tensor:
        forget, _ = both(w)
        goes, stays = (torch.func.grad(lambda v, i=i: both(v)[i])(w) for i in (0, 1))
        return forget - 0.3 * torch.nn.functional.cosine_similarity(goes, stays, dim=0)

    ours = phi_gradient(losses, pieces, 0.3)
    moves = torch.eye(len(at), dtype=at.dtype) * 1e-6
    numeric = torch.stack([(phi(at + m) - phi(at - m)) / 2e-6 for m in moves])
    assert torch.allclose(ours, numeric, rtol=1e-6, atol=1e-6)
    product = hessian_product(lambda: phi_gradient(losses, pieces, 0.3), pieces, ours, 1e-4)
    hessian = torch.autograd.functional.hessian(phi, at)
    assert torch.allclose(product, hessian @ ours, rtol=1e-5, atol=1e-5)
    assert torch.equal(torch.cat(pieces).detach(), at), "the weights are back"


def test_ofmu_step(bare: MakeJob) -> None:
    """One outer step, put together by hand from the same start."""
    axes: dict[str, Any] = {"forget": "npo", "parameters": {"method": "lora", "r": 2}}
    procedure = {"method": "ofmu", "inner_steps": 1, "inner_lr": 0.01, "beta": 0.0, "rho": 0.0}
    job = bare(procedure, axes, lr=0.02, clip=0.0, batch_size=4)
    stepper = OFMUStepper(job, job.parts.procedure.config)
    stepper.begin()
    micros = next(iter(job.parts.sample.epoch(job, 0)))
    weights = list(job.trained.values())
    start = [w.detach().clone() for w in weights]
    measured = stepper.step(micros)
    moved = [w.detach().clone() for w in weights]
    for weight, value in zip(weights, start, strict=True):
        weight.data.copy_(value)
    for side, factor in (("forget", -0.01), ("retain", -0.02)):
        loss = getattr(stepper.losses(micros[0]), side)
        assert side == "retain" or loss.item() == pytest.approx(measured["forget"], rel=1e-5)
        grads = torch.autograd.grad(loss, weights, allow_unused=True)
        for weight, grad in zip(weights, grads, strict=True):
            if grad is not None:
                weight.data.add_(factor * grad)
    for one, other in zip(moved, weights, strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    assert any((one != other).any() for one, other in zip(moved, start, strict=True))


def test_ofmu_runs(bare: MakeJob) -> None:
    axes = {"forget": "gradient_ascent", "parameters": {"method": "lora", "r": 2}}
    job = bare({"method": "ofmu", "inner_steps": 1}, axes, max_steps=1, check_every=1, lr=1e-3)
    job.parts.procedure.run(job)
    assert job.step == 1 and math.isfinite(job.history[-1]["probe"])
