"""RMU: hidden states of what goes are steered to one random direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.hidden import Tokens, hidden_states, layer_of, token_mask
from guard.distil.job import Job
from guard.distil.losses import masked_mean
from guard.distil.part import Axis, Claim
from guard.distil.registry import register

# The authors read block 7 of 32.
DEPTH = 7 / 32


@dataclass(frozen=True, slots=True)
class RMUConfig:
    """`coefficient`: the length of the target; `layer`: 1 is the first block."""

    coefficient: Annotated[float, Field(gt=0)] = 20.0
    layer: int | None = None
    tokens: Tokens = "all"


def rmu(states: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean over masked tokens and sizes of (h - target)^2, [rows]."""
    return masked_mean((states - target).square().mean(-1), mask)


@register(
    Axis.FORGET,
    "rmu",
    source="Li et al. 2024, arXiv 2403.03218, eq. for L_forget",
    faithful="as published with retain: activations (weight 100) and parameters: rmu_layers; the "
    "mean over the hidden size is that of the public code",
    claim=Claim.REPRESENTATION,
)
class RMU(Objective[RMUConfig]):
    """Steers a block's hidden states to a fixed random vector."""

    Config = RMUConfig

    def prepare(self, job: Job) -> None:
        """Draws u in [0, 1)^size by the seed, normalised and stretched."""
        self.layer = layer_of(job, self.config.layer, DEPTH)
        draw = torch.Generator().manual_seed(job.seed)
        u = torch.rand(job.model.config.get_text_config().hidden_size, generator=draw)
        self.target = (self.config.coefficient * u / u.norm()).to(job.device)

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """The distance of each row's states from the target."""
        states = hidden_states(job, batch, self.layer)
        return rmu(states, self.target.to(states.dtype), token_mask(batch, self.config.tokens))

    def state_dict(self) -> dict[str, Any]:
        """The target, so that another torch's generator cannot change it."""
        return {"target": self.target.cpu()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse."""
        self.target = state["target"].to(self.target.device)
