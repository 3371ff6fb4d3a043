"""RMU's weights: the last layers of three blocks' MLPs, up to the block that is steered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from guard.distil.blocks import blocks
from guard.distil.errors import DistilError
from guard.distil.forget.rmu import DEPTH
from guard.distil.hidden import layer_of
from guard.distil.job import Job
from guard.distil.locating import mlp
from guard.distil.parameters.full import Full
from guard.distil.part import Axis
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class RMULayersConfig:
    """`layer`: 1 is the first block; it must be the forget objective's. `blocks`: how many up to
    it and with it."""

    layer: int | None = None
    blocks: Annotated[int, Field(ge=1)] = 3


@register(
    Axis.PARAMETERS,
    "rmu_layers",
    source="Li et al. 2024, arXiv 2403.03218 (public code: blocks 5 to 7, `mlp.down_proj`)",
)
class RMULayers(Full):
    """The down projections of the MLPs up to the steered block; the rest of the model stays."""

    Config = RMULayersConfig
    config: RMULayersConfig  # type: ignore[assignment]

    def attach(self, job: Job) -> Any:
        """The model with all else frozen. Raises `DistilError` where an MLP has no `down_proj`."""
        last = layer_of(job, self.config.layer, DEPTH)
        model = super().attach(job).requires_grad_(False)
        for block in blocks(model)[max(0, last - self.config.blocks) : last]:
            down = getattr(mlp(block), "down_proj", None)
            if down is None:
                raise DistilError(f"the MLP of {type(block).__name__} has no down_proj")
            down.weight.requires_grad_(True)
        return model
