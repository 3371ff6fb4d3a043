"""OFMU: the outer level retains, where the inner one has nothing left to forget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from guard.distil.axes import Micro, Procedure
from guard.distil.errors import DistilError
from guard.distil.gradients import cut_to, flat, shaped
from guard.distil.job import Job
from guard.distil.part import Axis, Need
from guard.distil.registry import register
from guard.distil.stepper import AxisStepper
from guard.distil.trainer import Trainer

Losses2 = Callable[[], tuple[Tensor, Tensor]]
"""(forget loss to be raised, retain loss) at the present weights, with their graphs."""


@dataclass(frozen=True, slots=True)
class OFMUConfig:
    """`inner_steps` (T) of ascent at `inner_lr` on Phi, in which `beta` weighs the likeness of
    the two gradients; `train.lr` is the outer step. The penalty `rho` grows by `growth` a step,
    to at most `rho_most`. `probe` is the length of the difference that gives the
    Hessian-vector product, relative to the weights. None of these is given in the paper.
    """

    inner_steps: Annotated[int, Field(ge=1)] = 3
    inner_lr: Annotated[float, Field(gt=0)] = 1e-3
    beta: Annotated[float, Field(ge=0)] = 0.1
    rho: Annotated[float, Field(ge=0)] = 0.01
    growth: Annotated[float, Field(ge=1)] = 1.05
    rho_most: Annotated[float, Field(ge=0)] = 1.0
    probe: Annotated[float, Field(gt=0)] = 1e-3


def phi_gradient(losses: Losses2, weights: Sequence[Tensor], beta: float) -> Tensor:
    """grad of L_f - beta cos(grad L_f, grad L_r), flat; needs second derivatives."""
    forget, retain = losses()
    goes = _gradient(forget, weights, graph=True)
    stays = _gradient(retain, weights, graph=True)
    lengths = (goes.norm() * stays.norm()).clamp(min=torch.finfo(goes.dtype).tiny)
    return _gradient(forget - beta * (goes @ stays) / lengths, weights).detach()


def hessian_product(
    gradient: Callable[[], Tensor], weights: Sequence[Tensor], vector: Tensor, length: float
) -> Tensor:
    """Hess x vector by a central difference of `length` along it; the weights are put back."""
    norm = float(vector.norm())
    if norm == 0:
        return torch.zeros_like(vector)
    start = [weight.detach().clone() for weight in weights]
    sides = []
    for sign in (1.0, -1.0):
        _set(weights, flat(start) + sign * length / norm * vector)
        sides.append(gradient())
    with torch.no_grad():
        for weight, value in zip(weights, start, strict=True):
            weight.copy_(value)
    return (sides[0] - sides[1]) * (norm / (2 * length))


class OFMUStepper(AxisStepper):
    """T inner steps on the step's rows, then one outer step on the same."""

    def __init__(self, job: Job, config: OFMUConfig) -> None:
        super().__init__(job)
        self.config = config

    def begin(self) -> None:
        """There is no optimiser: both levels take plain gradient steps, as the paper has it."""
        self._weights = list(self.job.trained.values())

    def step(self, micros: Sequence[Micro]) -> dict[str, float]:
        """Both levels. Gradients are cut to `train.clip`; `rho` follows from the step's number."""
        config, train = self.config, self.job.recipe.train
        self.job.wrapped.train()

        def losses() -> tuple[Tensor, Tensor]:
            return self._both(micros)

        def ascent() -> Tensor:
            return phi_gradient(losses, self._weights, config.beta)

        with sdpa_kernel(SDPBackend.MATH):  # the fast kernels have no second derivative
            measured = self._measured(losses)
            for _ in range(config.inner_steps):
                self._add(config.inner_lr * cut_to(ascent(), train.clip))
            retain = _gradient(losses()[1], self._weights)
            slope = ascent()
            length = config.probe * (1 + float(flat(w.detach() for w in self._weights).norm()))
            curved = hessian_product(ascent, self._weights, slope, length)
        rho = min(config.rho * config.growth**self.job.step, config.rho_most)
        self._add(-train.lr * cut_to(retain + 2 * rho * curved, train.clip))
        for part in self.job.parts:
            part.after_step(self.job, measured)
        return measured

    def state_dict(self) -> dict[str, Any]:
        """Nothing beside the weights and the step's number."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing."""

    def _both(self, micros: Sequence[Micro]) -> tuple[Tensor, Tensor]:
        """The forget objective's terms are to be lowered; L_f, which is raised, is their
        negative. Penalties belong to the outer level."""
        sums = [torch.zeros((), device=self.job.device) for _ in range(2)]
        for number, micro in enumerate(micros):
            found = self.losses(micro, penalised=number == 0)
            if found.retain is None:
                raise DistilError("ofmu was given a step without retain rows")
            sums[0] = sums[0] - found.forget / len(micros)
            sums[1] = sums[1] + found.retain / len(micros)
            sums[1] = sums[1] + sum(found.penalties.values(), start=torch.zeros_like(sums[1]))
        return sums[0], sums[1]

    def _measured(self, losses: Losses2) -> dict[str, float]:
        with torch.no_grad():
            forget, retain = losses()
        if not (forget + retain).isfinite():
            raise DistilError("a loss is not a finite number; lower train.lr or inner_lr")
        return {"forget": -float(forget), "retain": float(retain)}

    def _add(self, vector: Tensor) -> None:
        if not vector.isfinite().all():
            raise DistilError("a step is not finite; lower train.lr or inner_lr")
        _set(self._weights, flat([w.detach() for w in self._weights]) + vector)


@register(
    Axis.PROCEDURE,
    "ofmu",
    source="OFMU, penalty-based bi-level unlearning",
    faithful="in its spirit: neither code nor defaults are published; the Hessian-vector product "
    "is a difference of gradients, and one process only is supported",
    needs=[Need.RETAIN],
)
class OFMU(Procedure[OFMUConfig]):
    """Retain where the inner level has nothing left to forget.

    Inner: ascend Phi = L_f - beta cos(grad L_f, grad L_r). Outer: descend
    L_r + rho |grad Phi|^2, of which the gradient is grad L_r + 2 rho Hess(Phi) grad Phi.
    """

    Config = OFMUConfig
    uses: ClassVar[frozenset[Axis]] = frozenset(Axis) - {Axis.COMBINE}

    def run(self, job: Job) -> None:
        """Trains on one process; raises `DistilError` on several."""
        if job.accelerator.num_processes > 1:
            raise DistilError("ofmu runs on one process")
        Trainer(job, OFMUStepper(job, self.config)).run()


def _gradient(loss: Tensor, weights: Sequence[Tensor], *, graph: bool = False) -> Tensor:
    grads = torch.autograd.grad(
        loss, weights, create_graph=graph, retain_graph=True, allow_unused=True
    )
    return flat(
        torch.zeros_like(w) if g is None else g for w, g in zip(weights, grads, strict=True)
    )


@torch.no_grad()
def _set(weights: Sequence[Tensor], values: Tensor) -> None:
    for weight, value in zip(weights, shaped(values, weights), strict=True):
        weight.copy_(value)
