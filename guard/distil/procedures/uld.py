"""ULD: a small assistant learns what must go, and is subtracted when the base speaks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import log_softmax

from guard.distil.assisted import Assisted, first_layers, save_assistant
from guard.distil.axes import Losses, Micro, Procedure
from guard.distil.combine.weighted_sum import WeightedSum, WeightedSumConfig
from guard.distil.hidden import layers
from guard.distil.job import Job
from guard.distil.losses import answer_positions, masked_mean, mean_nll, weighted_mean
from guard.distil.pairing import paired
from guard.distil.parameters.lora import ATTENTION, MLP
from guard.distil.part import Axis, Claim, Need
from guard.distil.probe import mean_loss, probe_rows
from guard.distil.registry import register
from guard.distil.sampling import epoch_generator
from guard.distil.stepper import AxisStepper
from guard.distil.trainer import Trainer


@dataclass(frozen=True, slots=True)
class ULDConfig:
    """`layers` of the base make the assistant, at most all but one of them. `flat` weighs the
    flatness on what stays. Decoding: `weight` of the assistant's scores, `tau` of the filter.
    """

    layers: Annotated[int, Field(ge=1)] = 8
    r: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[float, Field(gt=0)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    flat: Annotated[float, Field(ge=0)] = 5.0
    weight: Annotated[float, Field(lt=0)] = -0.8
    tau: Annotated[float, Field(ge=0, lt=1)] = 1e-2


def flatness(logits: Tensor, labels: Tensor) -> Tensor:
    """KL(uniform || model), mean over each row's answer tokens [rows]."""
    scores, _, mask = answer_positions(logits, labels)
    each = -log_softmax(scores, -1).mean(-1) - math.log(scores.shape[-1])
    return masked_mean(each, mask)


class _Remembering(AxisStepper):
    """CE on what goes + `flat` x KL(uniform || p) on what stays, for the assistant."""

    flat: float = 5.0

    def losses(self, micro: Micro, *, penalised: bool = True) -> Losses:
        job = self.job
        batch = job.batch(micro.forget, micro.weights)
        forget = weighted_mean(mean_nll(job.logits(batch), batch.labels), batch.weights)
        beside = job.batch(micro.retain)
        retain = self.flat * flatness(job.logits(beside), beside.labels).mean()
        return Losses(forget, retain, {})


@register(
    Axis.PROCEDURE,
    "uld",
    source="Ji et al. 2024, arXiv 2406.08607 (ULD), assistant objective and logit subtraction",
    faithful="as published, without the perturbed answers that TOFU's files bring; base and "
    "assistant have caches of their own, where the published code shares one",
    claim=Claim.RUNTIME,
    needs=[Need.RETAIN],
)
class ULD(Procedure[ULDConfig]):
    """The base's weights stay; z = z_base + weight z_assistant at decoding.

    Comes out as a PEFT adapter of the first blocks and `assistant.json`; `assisted.load_assisted`
    makes a model of it and the base. vLLM does not serve it.
    """

    Config = ULDConfig
    uses: ClassVar[frozenset[Axis]] = frozenset()
    form: ClassVar[str | None] = "runtime"

    def run(self, job: Job) -> None:
        """Trains the assistant; the looks are at what the pair costs beside the base alone.

        Untrained, the assistant has the base subtracted from itself, which is far past any budget.
        """
        base = job.model.requires_grad_(False).eval()
        self.layers = max(1, min(self.config.layers, layers(base) - 1))
        job.probe_start = mean_loss(job, probe_rows(job))
        job.parts = replace(job.parts, combine=WeightedSum(WeightedSumConfig()))
        self.assistant = job.model = self._assistant(base)
        job.wrapped = job.accelerator.prepare(job.model)
        pair = Assisted(base, self.assistant, self.config.weight, self.config.tau)
        job.judged = pair
        stepper = _Remembering(job)
        stepper.flat = self.config.flat
        Trainer(job, stepper, steps=lambda epoch: _steps(job, epoch), waits=True).run()
        job.model = job.wrapped = job.judged = pair.eval()
        job.outcome["layers"] = self.layers

    def save(self, job: Job, folder: Path) -> None:
        """The assistant alone."""
        save_assistant(self.assistant, folder, self.layers, self.config.weight, self.config.tau)

    def _assistant(self, base: Any) -> Any:
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=self.config.r,
            lora_alpha=self.config.alpha,
            lora_dropout=self.config.dropout,
            target_modules=[*ATTENTION, *MLP],
            task_type="CAUSAL_LM",
        )
        with torch.random.fork_rng(devices=[]):
            return get_peft_model(first_layers(base, self.layers), config)


def _steps(job: Job, epoch: int) -> Iterator[Sequence[Micro]]:
    rows = tuple((row, 1.0) for row in job.data.forget)
    yield from paired(job, epoch_generator(job, epoch), rows, job.data.keep())
