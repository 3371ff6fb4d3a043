"""FIT's layers: those without which the forgotten rows are least like themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from guard.distil.blocks import batches, blocks
from guard.distil.job import Job
from guard.distil.locating import ablated, attention, mlp, top
from guard.distil.parameters.full import Full
from guard.distil.part import Axis
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class FITLayersConfig:
    """`layers`: how many are trained; `rows`: forget rows that they are found by."""

    layers: Annotated[int, Field(ge=1)] = 8
    rows: Annotated[int, Field(ge=1)] = 64


@register(
    Axis.PARAMETERS,
    "fit_layers",
    source="FIT (public code), layer attribution",
    faithful="as published; a block is left out as a whole, which is zeroing its two outputs",
)
class FITLayers(Full):
    """Attention and MLP of the top layers by loss change; the rest of the model stays."""

    Config = FITLayersConfig
    config: FITLayersConfig  # type: ignore[assignment]

    def prepare(self, job: Job) -> None:
        """Ranks the untouched model's blocks on the forget rows."""
        rows = list(batches(job, job.data.forget, self.config.rows))
        self.layers = top(ablated(job.model, rows), self.config.layers)
        job.outcome["layers"] = list(self.layers)

    def attach(self, job: Job) -> Any:
        """The model with all else frozen."""
        model = super().attach(job).requires_grad_(False)
        for i in self.layers:
            block = blocks(model)[i]
            attention(block).requires_grad_(True)
            mlp(block).requires_grad_(True)
        return model
