"""RULE: refusals are taught on few prompts, then their boundary is found by trying."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from guard.distil.axes import Losses, Micro, Procedure
from guard.distil.boundary import boundary_prompts
from guard.distil.combine.weighted_sum import WeightedSum, WeightedSumConfig
from guard.distil.generation import generate
from guard.distil.job import Job
from guard.distil.losses import mean_nll, token_logps
from guard.distil.pairing import paired
from guard.distil.part import Axis, Claim, Need
from guard.distil.refusals import drawn
from guard.distil.registry import register
from guard.distil.rewards import advantages, distance, grouped, is_refusal, policy_loss, reward
from guard.distil.rows import Row
from guard.distil.sampling import epoch_generator, shuffled
from guard.distil.stepper import AxisStepper
from guard.distil.trainer import Trainer


@dataclass(frozen=True, slots=True)
class RULEConfig:
    """Rejection steering: `steer_share` of the forget prompts, `steer_epochs`. Then, for
    `train.epochs`, `group` answers of at most `tokens` tokens to each forget prompt and to
    boundary prompts, `boundary_share` of their number in every epoch. `clip` and `kl` as in GRPO.
    """

    steer_share: Annotated[float, Field(gt=0, le=1)] = 0.12
    steer_epochs: Annotated[int, Field(ge=0)] = 3
    boundary_share: Annotated[float, Field(ge=0)] = 0.08
    group: Annotated[int, Field(ge=2)] = 8
    tokens: Annotated[int, Field(ge=1)] = 64
    clip: Annotated[float, Field(gt=0)] = 0.2
    kl: Annotated[float, Field(ge=0)] = 0.04


class RULEStepper(AxisStepper):
    """Steps before `steered` teach refusals; the others try and are rewarded."""

    def __init__(self, job: Job, config: RULEConfig, steered: int) -> None:
        super().__init__(job)
        self.config = config
        self.steered = steered
        self.rewards: list[float] = []

    def losses(self, micro: Micro, *, penalised: bool = True) -> Losses:
        """`retain` is what the boundary rows' answers cost, None while steering and where none is
        beside. An attempt weighs the same on either side.
        """
        micro = micro.share(self.job.accelerator.process_index, self.job.accelerator.num_processes)
        if self.job.step < self.steered:
            said = drawn(self.job, len(micro.forget))
            batch = self.job.batch_saying(micro.forget, said)
            return Losses(mean_nll(self.job.logits(batch), batch.labels).mean(), None, {})
        forget = self._tried(micro.forget, forgotten=True)
        retain = None
        if micro.retain:
            share = len(micro.retain) / len(micro.forget)
            retain = share * self._tried(micro.retain, forgotten=False)
        return Losses(forget, retain, {})

    def _tried(self, rows: Sequence[Row], *, forgotten: bool) -> Tensor:
        """Answers drawn from the policy as it is, their rewards, and the loss that follows."""
        job, config = self.job, self.config
        prompts = grouped([row.prompt or "" for row in rows], config.group)
        many = [row for row in rows for _ in range(config.group)]
        answers = generate(job.model, job.encoder, prompts, config.tokens, sample=True)
        rewards = [
            reward(answer, row.answer, forgotten=forgotten)
            for answer, row in zip(answers, many, strict=True)
        ]
        self.rewards.extend(rewards)
        gain = advantages(torch.tensor(rewards, device=job.device), config.group)
        batch = job.batch_saying(many, answers)
        logps, mask = token_logps(job.logits(batch), batch.labels)
        start, _ = token_logps(job.reference_logits(batch), batch.labels)
        # One update an attempt: the policy that spoke is the one that is moved.
        loss = policy_loss(logps, logps.detach(), mask, gain, config.clip)
        return (loss + config.kl * distance(logps, start, mask)).mean()

    def step(self, micros: Sequence[Micro]) -> dict[str, float]:
        """As the axes', with the mean reward beside the losses."""
        self.rewards = []
        measured = super().step(micros)
        if self.rewards:
            measured["reward"] = sum(self.rewards) / len(self.rewards)
        return measured


@register(
    Axis.PROCEDURE,
    "rule",
    source="RULE, rejection steering and refusal boundary optimisation",
    faithful="in its spirit: the public code is a stub; boundary prompts are the forget prompts "
    "about names that nobody has, with the start model's answers; rewards are 1 for a due refusal "
    "and ROUGE-L elsewhere; refusals are told by phrases; drawn answers are tokenised anew",
    claim=Claim.BEHAVIOUR,
    needs=[Need.PROMPTS, Need.REFERENCE],
)
class RULE(Procedure[RULEConfig]):
    """Supervised refusals on some forget prompts, then GRPO on all and on boundary prompts."""

    Config = RULEConfig
    uses: ClassVar[frozenset[Axis]] = frozenset({Axis.PARAMETERS})

    def run(self, job: Job) -> None:
        """Both stages as one resumable run."""
        job.parts = replace(job.parts, combine=WeightedSum(WeightedSumConfig()))
        asked = tuple(row for row in job.data.forget if row.prompt)
        draw = torch.Generator().manual_seed(job.seed)
        some = shuffled(asked, draw)[: max(1, math.ceil(self.config.steer_share * len(asked)))]
        boundary = self._boundary(job, asked)
        job.outcome |= {"steered_prompts": len(some), "boundary_prompts": len(boundary)}

        def steps(epoch: int) -> Iterator[Sequence[Micro]]:
            steering = epoch < self.config.steer_epochs
            rows = tuple((row, 1.0) for row in (some if steering else asked))
            beside = () if steering else boundary
            draw = epoch_generator(job, epoch)
            yield from paired(job, draw, rows, beside, self.config.boundary_share)

        steered = sum(sum(1 for _ in steps(e)) for e in range(self.config.steer_epochs))
        tried = job.recipe.train.epochs * sum(1 for _ in steps(self.config.steer_epochs))
        total = job.recipe.train.max_steps or steered + tried
        train = replace(job.recipe.train, max_steps=total)
        job.recipe = replace(job.recipe, train=train)
        Trainer(job, RULEStepper(job, self.config, steered), steps=steps).run()

    def _boundary(self, job: Job, asked: tuple[Row, ...]) -> tuple[Row, ...]:
        """Boundary rows that the start model answers, and kept rows where there are too few."""
        wanted = math.ceil(self.config.boundary_share * len(asked))
        made = boundary_prompts(asked)[:wanted]
        with job.reference() as model:
            said = generate(
                model, job.encoder, [row.prompt or "" for row in made], self.config.tokens
            )
        found = [
            row.saying(answer, "start model")
            for row, answer in zip(made, said, strict=True)
            if answer and not is_refusal(answer)
        ]
        kept = [row for row in job.data.keep() if row.prompt]
        return (*found, *kept[: max(0, wanted - len(found))])
