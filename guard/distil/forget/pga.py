"""PGA: memorised rows become indistinguishable from clean ones to a linear probe in each layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.hidden import last_token, layer_of
from guard.distil.job import Job
from guard.distil.losses import widened
from guard.distil.part import Axis, Claim, Need
from guard.distil.partners import kept_partners
from guard.distil.probes import fit_probe
from guard.distil.registry import register
from guard.distil.rows import Row
from guard.distil.sampling import chunks


@dataclass(frozen=True, slots=True)
class PGAConfig:
    """`layers`: 1 is the first block; `refit_every`: in optimiser steps; `c`: as scikit-learn's."""

    layers: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    refit_every: Annotated[int, Field(ge=1)] = 25
    c: Annotated[float, Field(gt=0)] = 1.0


def probe_gap(memorised: Tensor, clean: Tensor, readouts: Tensor) -> Tensor:
    """Mean over layers of ((h(mem) - h(clean)) . w)^2, [rows].

    Hidden states [layers, rows, size], readouts [layers, size].
    """
    gap = ((memorised - clean) * readouts.unsqueeze(1)).sum(-1)
    return gap.square().mean(0)


@register(
    Axis.FORGET,
    "pga",
    source="MLDU2 (probe-guided alignment), the authors' public notebooks",
    faithful="probes are re-fitted every 25 steps, the authors' every 25 epochs of one step each; "
    "its cross-entropy on clean rows is retain: cross_entropy",
    claim=Claim.REPRESENTATION,
    needs=[Need.RETAIN],
)
class PGA(Objective[PGAConfig]):
    """Closes the gap along each layer's probe between a forget row and a kept one."""

    Config = PGAConfig

    def prepare(self, job: Job) -> None:
        """Fits the first probes. Layers that the model lacks are left out, if any is left."""
        known = [layer for layer in self.config.layers if layer <= layer_of(job, None, 1.0)]
        self.layers = known or [layer_of(job, self.config.layers[0], 1.0)]
        self.readouts = self._fit(job)

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """The gap of each row to its partner."""
        memorised = self._states(job, batch)
        clean = self._states(job, job.batch(kept_partners(job, batch.rows)))
        return probe_gap(memorised, clean, self.readouts.to(memorised))

    def after_step(self, job: Job, measured: dict[str, float]) -> None:
        """Re-fits on the model as it now is."""
        if (job.step + 1) % self.config.refit_every == 0:
            self.readouts = self._fit(job)

    def state_dict(self) -> dict[str, Any]:
        """The readouts."""
        return {"readouts": self.readouts.cpu()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse."""
        self.readouts = state["readouts"].to(self.readouts.device)

    def _states(self, job: Job, batch: Batch) -> Tensor:
        states = job.outputs(batch, output_hidden_states=True).hidden_states
        return torch.stack([last_token(widened(states[layer]), batch) for layer in self.layers])

    @torch.no_grad()
    def _fit(self, job: Job) -> Tensor:
        memorised, clean = self._all(job, job.data.forget), self._all(job, job.data.keep())
        pairs = zip(memorised, clean, strict=True)
        return torch.stack([fit_probe(mem, cl, self.config.c) for mem, cl in pairs]).to(job.device)

    def _all(self, job: Job, rows: tuple[Row, ...]) -> Tensor:
        pieces = chunks(rows, job.recipe.train.batch_size)
        return torch.cat([self._states(job, job.batch(piece)) for piece in pieces], dim=1)
