"""RMU's retain term: a block's hidden states stay where they were."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.forget.rmu import DEPTH, rmu
from guard.distil.hidden import Tokens, hidden_states, layer_of, reference_states, token_mask
from guard.distil.job import Job
from guard.distil.part import Axis, Need
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class ActivationsConfig:
    """`layer`: 1 is the first block; it must be the forget objective's."""

    layer: int | None = None
    tokens: Tokens = "all"


@register(
    Axis.RETAIN,
    "activations",
    source="Li et al. 2024, arXiv 2403.03218, eq. for L_retain",
    needs=[Need.RETAIN, Need.REFERENCE],
)
class Activations(Objective[ActivationsConfig]):
    """Squared distance of the hidden states from the start model's."""

    Config = ActivationsConfig

    def prepare(self, job: Job) -> None:
        """Finds the layer."""
        self.layer = layer_of(job, self.config.layer, DEPTH)

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """The mean over tokens and sizes, [rows]."""
        states = hidden_states(job, batch, self.layer)
        reference = reference_states(job, batch, self.layer)
        return rmu(states, reference, token_mask(batch, self.config.tokens))
