"""GeRe: general samples are replayed, and hidden states stay on their side of two thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.hidden import layer_of, reference_states, token_mask
from guard.distil.job import Job
from guard.distil.losses import mean_nll, widened
from guard.distil.part import Axis, Need
from guard.distil.registry import register
from guard.distil.sampling import chunks


@dataclass(frozen=True, slots=True)
class GeReConfig:
    """`weight`: of the margin loss beside the cross-entropy; `width`: in standard deviations.

    `layer`: 1 is the first block; the last by default.
    """

    weight: Annotated[float, Field(ge=0)] = 100.0
    width: Annotated[float, Field(gt=0)] = 1.0
    layer: int | None = None


def threshold_margin(
    states: Tensor, reference: Tensor, low: Tensor, high: Tensor, mask: Tensor
) -> Tensor:
    """How far states left the band that the start model's lay in, [rows].

    The bands of each dimension are below `low`, between, and above `high`. The mean is over the
    entries that left theirs; a row that stays everywhere costs 0. states, reference
    [rows, width, size], low, high [size], mask [rows, width].
    """
    # A state may fall as low as it likes in the low band, and rise so in the high one.
    ceiling = torch.where(reference <= low, low, high)
    floor = torch.where(reference >= high, high, low)
    above = (states - ceiling).clamp(min=0) * (reference < high)
    below = (floor - states).clamp(min=0) * (reference > low)
    strayed = (above + below) * mask.unsqueeze(-1)
    return strayed.sum((1, 2)) / (strayed != 0).sum((1, 2)).clamp(min=1)


@register(
    Axis.RETAIN,
    "gere",
    source="Zhang et al. 2025, arXiv 2508.04676, threshold-based margin loss",
    faithful="as in the authors' code, but a mean for every row, not one over the batch; the "
    "general samples are short dialogues that ship with guard, not pre-training text",
    needs=[Need.GENERAL, Need.REFERENCE],
)
class GeRe(Objective[GeReConfig]):
    """Cross-entropy and a threshold margin on the states of general samples."""

    Config = GeReConfig
    on_general: ClassVar[bool] = True

    @torch.no_grad()
    def prepare(self, job: Job) -> None:
        """Mean and spread of the start model's states over all general rows."""
        self.layer = layer_of(job, self.config.layer, 1.0)
        seen = []
        for rows in chunks(job.data.general, job.recipe.train.batch_size):
            batch = job.batch(rows)
            seen.append(reference_states(job, batch, self.layer)[token_mask(batch, "all")])
        states = torch.cat(seen)
        spread = self.config.width * states.std(0, correction=0)
        self.low, self.high = states.mean(0) - spread, states.mean(0) + spread

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """Cross-entropy plus the weighted margin loss, [rows]."""
        outputs = job.outputs(batch, output_hidden_states=True)
        states = widened(outputs.hidden_states[self.layer])
        reference = reference_states(job, batch, self.layer)
        strayed = threshold_margin(states, reference, self.low, self.high, token_mask(batch, "all"))
        return mean_nll(outputs.logits, batch.labels) + self.config.weight * strayed

    def state_dict(self) -> dict[str, Any]:
        """The thresholds."""
        return {"low": self.low.cpu(), "high": self.high.cpu()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse."""
        device = self.low.device
        self.low, self.high = state["low"].to(device), state["high"].to(device)
