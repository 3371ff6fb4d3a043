"""KUDA's deviation: hidden states of what goes turn away from where they pointed."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cosine_similarity

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.hidden import Tokens, hidden_states, layer_of, reference_states, token_mask
from guard.distil.job import Job
from guard.distil.losses import masked_mean
from guard.distil.part import Axis, Claim, Need
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class KUDAConfig:
    """`layer`: 1 is the first block; by default the last that is trained where layers were
    located, else the middle. `floor`: the cosine to reach."""

    layer: int | None = None
    floor: float = -1.0
    tokens: Tokens = "answer"


def deviation(states: Tensor, reference: Tensor, mask: Tensor, floor: float) -> Tensor:
    """Mean over masked tokens of max(cos(h, h_ref), floor) - floor, [rows]."""
    cosine = cosine_similarity(states, reference, dim=-1)
    return masked_mean(cosine.clamp(min=floor) - floor, mask)


@register(
    Axis.FORGET,
    "kuda",
    source="Fang et al. 2026, arXiv 2602.19275 (KUDA), abstract",
    faithful="in its spirit: the loss could not be read; the cosine with the start model's "
    "states is minimised",
    claim=Claim.REPRESENTATION,
    needs=[Need.REFERENCE],
)
class KUDA(Objective[KUDAConfig]):
    """Turns a block's hidden states away from the start model's direction."""

    Config = KUDAConfig

    def prepare(self, job: Job) -> None:
        """Finds the layer: one that nothing trained leads to would have no gradient."""
        located: tuple[int, ...] = getattr(job.parts.parameters, "layers", ())
        given = self.config.layer or (max(located) + 1 if located else None)
        self.layer = layer_of(job, given, 0.5)

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """What is left of the old direction, [rows]."""
        states = hidden_states(job, batch, self.layer)
        reference = reference_states(job, batch, self.layer)
        mask = token_mask(batch, self.config.tokens)
        return deviation(states, reference, mask, self.config.floor)
