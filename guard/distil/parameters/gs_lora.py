"""LoRA on the MLPs that is kept to few blocks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from guard.distil.blocks import layer_number
from guard.distil.job import Job
from guard.distil.parameters.lora import LoRA, LoRAConfig
from guard.distil.part import Axis
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class GSLoRAConfig(LoRAConfig):
    """`group` (the paper's alpha) weighs the sparsity. `prune`: blocks whose adapters' norm is
    below that share of the largest come out as zeros; the paper prunes nothing.
    """

    r: Annotated[int, Field(ge=1)] = 8
    alpha: Annotated[float, Field(gt=0)] = 8
    targets: Literal["all", "attention", "mlp"] = "mlp"
    group: Annotated[float, Field(ge=0)] = 0.01
    prune: Annotated[float, Field(ge=0, lt=1)] = 0.0


def group_lasso(groups: list[list[Tensor]]) -> Tensor:
    """The sum over groups of the root of the sum of squares; its gradient at 0 is 0."""
    return torch.stack([group_norm(group) for group in groups]).sum()


def group_norm(group: list[Tensor]) -> Tensor:
    """The norm of all tensors of a group together."""
    return torch.linalg.vector_norm(torch.cat([tensor.reshape(-1) for tensor in group]))


@register(
    Axis.PARAMETERS,
    "gs_lora",
    source="GS-LoRA (public code), group-sparse penalty",
    faithful="published for image classifiers: the group lasso over blocks and, as forget "
    "objective, bounded_ascent carry over; its prototype terms have no counterpart here",
)
class GSLoRA(LoRA):
    """One group of adapter weights a block; the norms' sum is added to the loss."""

    Config = GSLoRAConfig
    config: GSLoRAConfig

    def penalties(self, job: Job) -> dict[str, Tensor]:
        """`group` x the sum over blocks of the norm of their adapters."""
        return {"groups": self.config.group * group_lasso(list(groups(job).values()))}

    def save(self, job: Job, folder: Path) -> None:
        """The adapter, without the blocks that were pruned."""
        if self.config.prune:
            self._prune(groups(job))
        super().save(job, folder)

    @torch.no_grad()
    def _prune(self, found: dict[int | None, list[Any]]) -> None:
        norms = {block: float(group_norm(group)) for block, group in found.items()}
        for block, group in found.items():
            if norms[block] < self.config.prune * max(norms.values()):
                for tensor in group:
                    tensor.zero_()


def groups(job: Job) -> dict[int | None, list[Any]]:
    """The trained adapter weights by block."""
    found: dict[int | None, list[Any]] = defaultdict(list)
    for name, parameter in job.trained.items():
        found[layer_number(name)].append(parameter)
    return dict(found)
