"""Geometric unlearning: the update leaves the span of what is retained, as Adam measures it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from guard.distil.axes import Combiner, Losses
from guard.distil.geometry import into_cone, off_span, orthonormal
from guard.distil.gradients import Apart, flat, shaped, write_gradient
from guard.distil.job import Job
from guard.distil.part import Axis, Need
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class GUConfig:
    """`rank` retain gradients are remembered, a step each.

    `rule`: "tangent" is the paper's, which may keep at most `kappa` of the part inside the span,
    in directions where both gradients agree by more than `tau`, and adds `repair` of the retain
    gradient; with the zeros given here it is the plain orthogonal projection. "safe_cone" only
    asks that no remembered retain loss rises.
    `realised`: what is done to the step that the optimiser really made (momentum and decay
    included): "orthogonal", "half_space" (no remembered loss rises), "first_order" (the first of
    `backtracking` whose foreseen rise is within `retain_budget` nats, else no step), or "off".
    `eps`: below that new share, a direction counts as known.
    """

    rank: Annotated[int, Field(ge=1)] = 8
    rule: Literal["tangent", "safe_cone"] = "tangent"
    gamma: Annotated[float, Field(gt=0)] = 1.0
    tau: Annotated[float, Field(ge=0)] = 0.0
    kappa: Annotated[float, Field(ge=0)] = 0.0
    repair: Annotated[float, Field(ge=0)] = 0.0
    realised: Literal["orthogonal", "half_space", "first_order", "off"] = "orthogonal"
    eps: Annotated[float, Field(gt=0, lt=1)] = 1e-6
    retain_budget: Annotated[float, Field(ge=0)] = 1e-4
    backtracking: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (1.0, 0.5, 0.25, 0.125)


def candidate(
    forget: Tensor, retain: Tensor, history: Tensor, metric: Tensor, config: GUConfig
) -> Tensor:
    """The gradient [n] that the optimiser is given.

    `history` [n, k] are raw retain gradients, the present `retain` among them; `metric` [n] is
    Adam's denominator. All is whitened by its root, z = g / sqrt(h), and the result un-whitened.
    """
    root = metric.sqrt()
    goes, stays = forget / root, retain / root
    whitened = history / root.unsqueeze(1)
    if config.rule == "safe_cone":
        return config.gamma * into_cone(goes, whitened) * root
    basis = orthonormal(whitened, config.eps)
    free = off_span(goes, basis)
    along, retained = basis.T @ goes, basis.T @ stays
    kept = basis @ (along * (along * retained > config.tau))
    bound, length = config.kappa * free.norm(), kept.norm()
    if length > bound:
        kept = kept * (bound / length)
    repaired = config.repair * (basis @ retained)
    return (config.gamma * (free + kept) + repaired) * root


def realised(delta: Tensor, history: Tensor, metric: Tensor, config: GUConfig) -> Tensor:
    """The step [n] that is left of the optimiser's `delta`; projected in the same metric."""
    if config.realised == "off":
        return delta
    if config.realised == "first_order":
        rise = float((history.T @ delta).max())
        scales = (s for s in config.backtracking if s * rise <= config.retain_budget)
        return delta * next(scales, 0.0)
    root = metric.sqrt()
    whitened, step = history / root.unsqueeze(1), delta * root
    if config.realised == "half_space":
        return -into_cone(-step, whitened) / root
    return off_span(step, orthonormal(whitened, config.eps)) / root


@register(
    Axis.COMBINE,
    "gu",
    source="Geometric Unlearning (public code and its derivation notes), retain-orthogonal update",
    faithful="the keeping rule's tau, kappa and repair are not published and 0 here; the public "
    "code trains lm_head.weight alone, this trains what the parameters axis says",
    needs=[Need.RETAIN],
)
class GU(Combiner[GUConfig]):
    """The forget gradient, orthogonal in Adam's metric to the last retain gradients.

    A retain loss is unchanged to first order if, and only if, the step is orthogonal to its
    gradient; Adam divides by h afterwards, so the projection is made in that metric, and checked
    again on the step that was really made. Published code whitens by g / h, which is not it.
    Remembers `rank` vectors of the size of what is trained. Before the first step h is 1.
    """

    Config = GUConfig
    filters_delta: ClassVar[bool] = True

    def __init__(self, config: GUConfig) -> None:
        super().__init__(config)
        self._apart = Apart()
        self._history: list[Tensor] = []

    def backward(self, job: Job, losses: Losses, share: float) -> None:
        """Both gradients apart; penalties count as forgetting, so the projection covers them."""
        self._apart.add(job, losses, share, penalise="forget")

    def after_backward(self, job: Job) -> None:
        """Writes the candidate to `.grad`."""
        forget, retain = self._apart.taken(job)
        if retain is None:
            raise RuntimeError("gu was given a step without retain rows")
        # What a checkpoint gave back is on the CPU.
        past = [vector.to(retain.device) for vector in self._history]
        self._history = [*past, retain][-self.config.rank :]
        history = torch.stack(self._history, 1)
        write_gradient(job, candidate(forget, retain, history, denominators(job), self.config))

    def filter_delta(self, job: Job, delta: dict[str, Tensor]) -> None:
        """The second stage, on the optimiser's own step."""
        tensors = [delta[name] for name in job.trained]
        history = torch.stack(self._history, 1)
        left = realised(flat(tensors), history, denominators(job), self.config)
        for name, piece in zip(job.trained, shaped(left, tensors), strict=True):
            delta[name].copy_(piece)

    def state_dict(self) -> dict[str, Any]:
        """The remembered gradients."""
        return {"history": [vector.cpu() for vector in self._history]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse."""
        self._history = list(state["history"])


def denominators(job: Job) -> Tensor:
    """Adam's sqrt(v / (1 - beta2^t)) + eps, flat [n]; 1 where there is no such state."""
    found = []
    groups = {id(p): group for group in job.optimiser.param_groups for p in group["params"]}
    for parameter in job.trained.values():
        state = job.optimiser.state.get(parameter, {})
        if "exp_avg_sq" not in state:
            found.append(torch.ones_like(parameter))
            continue
        group = groups[id(parameter)]
        corrected = state["exp_avg_sq"] / (1 - group["betas"][1] ** float(state["step"]))
        found.append(corrected.sqrt() + group["eps"])
    return flat(found)
