"""DPO with a refusal as the winner and the forgotten answer as the loser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn.functional import logsigmoid

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.losses import answer_nll
from guard.distil.part import Axis, Claim, Need
from guard.distil.refusals import drawn
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class DPOConfig:
    """`beta`: the inverse temperature."""

    beta: Annotated[float, Field(gt=0)] = 0.1


def dpo(win: Tensor, win_ref: Tensor, lose: Tensor, lose_ref: Tensor, beta: float) -> Tensor:
    """-(2 / beta) log sigmoid(beta ((win_ref - win) - (lose_ref - lose))), summed NLLs [rows]."""
    return -2 / beta * logsigmoid(beta * ((win_ref - win) - (lose_ref - lose)))


@register(
    Axis.FORGET,
    "dpo",
    source="Rafailov et al. 2023, arXiv 2305.18290, eq. 7; on refusals: arXiv 2404.05868",
    faithful="scaled by 2 / beta, as NPO is and as open-unlearning has it",
    claim=Claim.BEHAVIOUR,
    needs=[Need.PROMPTS, Need.REFERENCE],
)
class DPO(Objective[DPOConfig]):
    """Prefers a refusal to the forgotten answer, against the start model."""

    Config = DPOConfig

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """The loss of each row; summed likelihoods."""
        refused = job.batch_saying(batch.rows, drawn(job, len(batch)))
        return dpo(*_losses(job, refused), *_losses(job, batch), self.config.beta)


def _losses(job: Job, batch: Batch) -> tuple[Tensor, Tensor]:
    """Summed negative log-likelihoods of the trained and of the start model, [rows] each."""
    ours, _ = answer_nll(job.logits(batch), batch.labels)
    start, _ = answer_nll(job.reference_logits(batch), batch.labels)
    return ours, start
