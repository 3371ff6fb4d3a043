"""Sparse updates: only the few weights move that the forgotten rows pull at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from guard.distil.blocks import batches
from guard.distil.job import Job
from guard.distil.losses import mean_nll
from guard.distil.parameters.full import Full
from guard.distil.part import Axis
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class SparseConfig:
    """`share` of what may move, by the size of the forget loss's gradient at the start over
    `rows` rows: single weights, or whole weight matrices ("matrix": above the 90th percentile at
    the default share, as in SURE).
    """

    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    unit: Literal["weight", "matrix"] = "weight"
    rows: Annotated[int, Field(ge=1)] = 64


def largest(saliency: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Masks of the largest `share` of all entries together, at least one; ties may add a few.

    An entry of 0 is never chosen.
    """
    entries = torch.cat([s.reshape(-1) for s in saliency.values()])
    count = max(1, int(share * len(entries)))
    least = entries.kthvalue(len(entries) - count + 1).values
    return {name: (s >= least) & (s > 0) for name, s in saliency.items()}


@register(
    Axis.PARAMETERS,
    "sparse",
    source="Outlandish (abstract), sparse multi-step updates; SURE (FailureLLMUnlearning code)",
    faithful="in the spirit of Outlandish, whose share and choice of weights are not given; "
    "`unit: matrix` is SURE's choice of modules",
)
class Sparse(Full):
    """A mask fixed at the start over all weights; whatever the optimiser does, the rest stays."""

    Config = SparseConfig
    config: SparseConfig  # type: ignore[assignment]
    filters_delta: ClassVar[bool] = True

    def prepare(self, job: Job) -> None:
        """The saliency of the untouched model."""
        job.model.requires_grad_(True)
        parameters = dict(job.model.named_parameters())
        total = {name: torch.zeros_like(p) for name, p in parameters.items()}
        for batch in batches(job, job.data.forget, self.config.rows):
            loss = mean_nll(job.model(**batch.inputs).logits, batch.labels).sum()
            grads = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
            for name, grad in zip(parameters, grads, strict=True):
                if grad is not None:
                    total[name] += grad
        saliency = {name: grad.abs() for name, grad in total.items()}
        if self.config.unit == "matrix":
            means = {name: s.mean().reshape(1) for name, s in saliency.items() if s.dim() > 1}
            chosen = largest(means, self.config.share)
            self._chosen = {name for name, mask in chosen.items() if mask.all()}
            self._masks: dict[str, Tensor] = {}
        else:
            masks = largest(saliency, self.config.share)
            self._chosen = {name for name, mask in masks.items() if mask.any()}
            self._masks = {name: masks[name] for name in self._chosen}

    def attach(self, job: Job) -> Any:
        """The model, frozen where nothing may move."""
        model = super().attach(job)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in self._chosen)
        moving = sum(int(mask.sum()) for mask in self._masks.values())
        moving = moving or sum(p.numel() for p in model.parameters() if p.requires_grad)
        job.outcome["moving_weights"] = moving
        return model

    def filter_delta(self, job: Job, delta: dict[str, Tensor]) -> None:
        """Nothing outside the mask moves, weight decay included."""
        for name, mask in self._masks.items():
            delta[name].mul_(mask)
