"""Dynamic SAE guardrails: nothing is trained but, where none is given, the autoencoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from guard.distil.axes import Procedure
from guard.distil.blocks import batches, blocks, seen
from guard.distil.errors import BudgetSpent, DistilError
from guard.distil.guardrail import Guarded, Guardrail, counted, firing, save_guardrail
from guard.distil.hidden import layer_of
from guard.distil.job import Job
from guard.distil.part import Axis, Claim, Need
from guard.distil.probe import Probe
from guard.distil.registry import register
from guard.distil.rows import Row
from guard.distil.sae import SAE, explained, load_sae, train_sae

Percent = Annotated[float, Field(ge=0, le=100)]


@dataclass(frozen=True, slots=True)
class DSGConfig:
    """`layer` from 1, or the paper's layer 3 of 26 as a share of the depth. `sae`: a file of an
    autoencoder for it; without one, `latents` of which `k` fire are trained for `steps` on the
    run's own rows. `features` are taken among those at or above the percentiles of forget score
    (mean squared activation) and of its ratio to the retain score; `tau_percentile` over retain
    rows sets the share of firing tokens that is let pass.
    """

    layer: Annotated[int, Field(ge=1)] | None = None
    depth: Annotated[float, Field(gt=0, le=1)] = 0.115
    sae: str = ""
    latents: Annotated[int, Field(ge=2)] = 1024
    k: Annotated[int, Field(ge=1)] = 32
    steps: Annotated[int, Field(ge=1)] = 400
    rows: Annotated[int, Field(ge=1)] = 256
    features: Annotated[int, Field(ge=1)] = 20
    forget_percentile: Percent = 5.0
    ratio_percentile: Percent = 95.0
    tau_percentile: Percent = 95.0
    clamp: Annotated[float, Field(ge=0)] = 500.0


def chosen_features(
    forget: Tensor, retain: Tensor, count: int, forget_percentile: float, ratio_percentile: float
) -> tuple[int, ...]:
    """The places of the top `count` by forget score of those that pass both percentiles.

    Scores are [latents]. A feature that never fires on what must go is not chosen.
    """
    ratio = forget / retain.clamp(min=torch.finfo(retain.dtype).tiny)
    passes = forget > 0
    for score, percentile in ((forget, forget_percentile), (ratio, ratio_percentile)):
        passes &= score >= torch.quantile(score, percentile / 100)
    ranked = forget.masked_fill(~passes, -torch.inf).argsort(descending=True, stable=True)
    return tuple(ranked[: min(count, int(passes.sum()))].tolist())


@register(
    Axis.PROCEDURE,
    "dsg",
    source="DSG, dynamic SAE guardrails (public code and paper), feature scores and threshold",
    faithful="scores are mean squares, as the paper's link to the Fisher information asks and "
    "the published code has commented out; the autoencoder is the run's own unless given",
    claim=Claim.RUNTIME,
    needs=[Need.RETAIN],
)
class DSG(Procedure[DSGConfig]):
    """Clamps a few features of one layer where many tokens of a sequence fire them.

    Comes out as `sae.safetensors` and `guardrail.json`; `guardrail.load_guarded` makes a model
    of them and the base. vLLM does not serve it.
    """

    Config = DSGConfig
    uses: ClassVar[frozenset[Axis]] = frozenset()
    form: ClassVar[str | None] = "runtime"

    @torch.no_grad()
    def run(self, job: Job) -> None:
        """Scores, chooses, and sets the threshold, with as many features as the budget bears.

        Raises `DistilError` when nothing stands out, and `BudgetSpent` when one is too many.
        """
        config = self.config
        base = job.model.requires_grad_(False).eval()
        probe = Probe.of(job, job.retain_budget)
        layer = layer_of(job, config.layer, config.depth)
        forget = self._states(job, layer, job.data.forget)
        retain = self._states(job, layer, job.data.keep())
        sae = self._sae(job, torch.cat([torch.cat(forget), torch.cat(retain)]))
        scores = [_mean_squares(sae, torch.cat(side)) for side in (forget, retain)]
        features = chosen_features(
            scores[0], scores[1], config.features, config.forget_percentile, config.ratio_percentile
        )
        if not features:
            raise DistilError("no feature fires on what must go and is rare on what stays")
        loss = self._guard(job, Guardrail(sae, layer, features, 0.0, config.clamp), retain, probe)
        job.model = job.wrapped = Guarded(base, self.rail)
        if len(self.rail.features) < len(features):
            job.outcome["stopped"] = "retain budget spent"
        job.outcome |= {
            "layer": layer,
            "features": list(self.rail.features),
            "tau": self.rail.tau,
            "explained": explained(sae, torch.cat(retain)),
            "probe_start": probe.start,
            "probe_allowed": probe.allowed,
            "probe_kept": loss,
        }

    def _guard(self, job: Job, rail: Guardrail, retain: list[Tensor], probe: Probe) -> float | None:
        """Sets `rail` with all features, else half as many and so on; gives the look's loss."""
        count = len(rail.features)
        while count:
            features = rail.features[:count]
            tau = _threshold(rail.sae, retain, features, self.config.tau_percentile)
            self.rail = replace(rail, features=features, tau=tau)
            job.judged = Guarded(job.model, self.rail)
            loss, within = probe.look(job)
            job.history.append({"features": count, "probe": loss})
            if within:
                return loss
            count //= 2
        raise BudgetSpent(
            "a single feature costs more of what is retained than the budget allows; raise "
            "procedure.tau_percentile, lower procedure.clamp, or raise train.retain_budget"
        )

    def save(self, job: Job, folder: Path) -> None:
        """The guardrail; the base is as it was."""
        save_guardrail(self.rail, folder)

    def _states(self, job: Job, layer: int, rows: tuple[Row, ...]) -> list[Tensor]:
        """What the layer gives on each row's tokens but the first, [tokens, size] a row."""
        found: list[Tensor] = []
        mask = torch.empty(0)

        def look(_: int, __: Tensor, output: Tensor) -> None:
            found.extend(states[row].float() for states, row in zip(output, mask, strict=True))

        with seen([blocks(job.model)[layer - 1]], look):
            for batch in batches(job, rows, self.config.rows):
                mask = counted(batch.attention_mask)
                job.model(**batch.inputs)
        return found

    def _sae(self, job: Job, states: Tensor) -> SAE:
        config = self.config
        if config.sae:
            return load_sae(Path(config.sae), states.shape[1])
        k = min(config.k, config.latents)
        return train_sae(states, config.latents, k, steps=config.steps, seed=job.seed)


def _mean_squares(sae: SAE, states: Tensor) -> Tensor:
    return sae.encode(states).square().mean(0)


def _threshold(sae: SAE, rows: list[Tensor], features: tuple[int, ...], percentile: float) -> float:
    chosen = torch.tensor(features)
    shares = []
    for states in rows:
        everywhere = torch.ones(1, len(states), dtype=torch.bool, device=states.device)
        fired = firing(sae.encode(states)[None], chosen.to(states.device), everywhere)
        shares.append(fired.float().mean())
    return float(torch.quantile(torch.stack(shares), percentile / 100))
