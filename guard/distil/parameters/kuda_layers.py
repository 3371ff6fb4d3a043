"""KUDA's layers: the MLPs that recall what must go, moved where retained rows do not look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from guard.distil.blocks import batches, blocks, seen
from guard.distil.job import Job
from guard.distil.locating import mlp, top, traced
from guard.distil.parameters.full import Full
from guard.distil.part import Axis, Need
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class KUDALayersConfig:
    """`layers`: how many MLPs are trained; `noise` of the tracing in standard deviations of the
    embeddings (3, as causal tracing has it); `rows` a side. `threshold`: input directions with
    less than that share of the strongest one's energy on retained rows are free; `soft` lets the
    others move by threshold / share of their step, hard not at all.
    """

    layers: Annotated[int, Field(ge=1)] = 4
    noise: Annotated[float, Field(gt=0)] = 3.0
    rows: Annotated[int, Field(ge=1)] = 64
    threshold: Annotated[float, Field(gt=0, le=1)] = 1e-3
    soft: bool = True


def free_directions(covariance: Tensor, threshold: float, *, soft: bool) -> Tensor:
    """The symmetric matrix [in, in] that a weight's step [out, in] is multiplied by.

    Eigenvalue 1 on directions whose energy is at most `threshold` of the largest; on others
    threshold / share, or 0.
    """
    energy, directions = torch.linalg.eigh(covariance)
    share = energy.clamp(min=0) / energy.max().clamp(min=torch.finfo(energy.dtype).tiny)
    relaxed = threshold / share.clamp(min=threshold)
    kept = relaxed if soft else (share <= threshold).to(energy)
    return (directions * kept) @ directions.T


@register(
    Axis.PARAMETERS,
    "kuda_layers",
    source="KUDA (abstract), causal tracing of MLP layers and relaxed null-space projection",
    faithful="in its spirit: noise is put on the whole prompt, one MLP is mended at a time, and "
    "the relaxation is a soft threshold on the retained inputs' energy",
    needs=[Need.RETAIN],
)
class KUDALayers(Full):
    """MLP weights of the traced layers; each realised step passes the null-space projection."""

    Config = KUDALayersConfig
    config: KUDALayersConfig  # type: ignore[assignment]
    filters_delta: ClassVar[bool] = True

    def prepare(self, job: Job) -> None:
        """Traces on the forget rows, then measures the chosen MLPs' inputs on retain rows."""
        rows = list(batches(job, job.data.forget, self.config.rows))
        draw = torch.Generator().manual_seed(job.seed)
        self.layers = top(traced(job.model, rows, self.config.noise, draw), self.config.layers)
        job.outcome["layers"] = list(self.layers)
        self._free = self._projections(job)

    def attach(self, job: Job) -> Any:
        """The model with all but the linear weights of the chosen MLPs frozen."""
        model = super().attach(job).requires_grad_(False)
        for linear in _linears(model, self.layers).values():
            linear.weight.requires_grad_(True)
        return model

    def filter_delta(self, job: Job, delta: dict[str, Tensor]) -> None:
        """What is retained gives these layers inputs that the step does not answer to."""
        for name, free in self._free.items():
            delta[name].copy_((delta[name].to(free) @ free).to(delta[name]))

    @torch.no_grad()
    def _projections(self, job: Job) -> dict[str, Tensor]:
        linears = _linears(job.model, self.layers)
        sums: dict[int, Tensor] = {}
        mask = torch.empty(0)

        def look(i: int, given: Tensor, _: Tensor) -> None:
            inputs = given[mask].double()
            sums[i] = sums.get(i, 0) + inputs.T @ inputs

        with seen(list(linears.values()), look):
            for batch in batches(job, job.data.keep(), self.config.rows):
                mask = batch.attention_mask.bool()
                job.model(**batch.inputs)
        return {
            f"{name}.weight": free_directions(sums[i], self.config.threshold, soft=self.config.soft)
            for i, name in enumerate(linears)
        }


def _linears(model: Any, layers: tuple[int, ...]) -> dict[str, Any]:
    """The linear layers of the chosen blocks' MLPs, by their names in the model."""
    inside = {id(m) for i in layers for m in mlp(blocks(model)[i]).modules()}
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and id(module) in inside
    }
