"""FLAT: loss adjustment by an f-divergence between a template answer and the forgotten one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.losses import masked_mean, token_logps
from guard.distil.part import Axis, Claim, Need
from guard.distil.refusals import drawn
from guard.distil.registry import register

Divergence = Literal[
    "total_variation",
    "kl",
    "pearson",
    "jensen_shannon",
    "reverse_kl",
    "squared_hellinger",
    "jeffrey",
    "neyman",
]
_Function = Callable[[Tensor], Tensor]
_LOG_2 = math.log(2)

# Of each divergence the variational function g, and its conjugate after g, both of the mean
# probability v: f*(g(v)).
DIVERGENCES: dict[str, tuple[_Function, _Function]] = {
    "total_variation": (lambda v: torch.tanh(v) / 2, lambda v: torch.tanh(v) / 2),
    "kl": (lambda v: v, lambda v: torch.exp(v - 1)),
    "pearson": (lambda v: v, lambda v: v * v / 4 + v),
    "jensen_shannon": (lambda v: _LOG_2 - softplus(-v), lambda v: softplus(v) - _LOG_2),
    "reverse_kl": (lambda v: -torch.exp(v), lambda v: -1 - v),
    "squared_hellinger": (lambda v: 1 - torch.exp(v), lambda v: torch.exp(-v) - 1),
    "jeffrey": (lambda v: v, lambda v: v + v * v / 4 + v**3 / 16),
    "neyman": (lambda v: 1 - torch.exp(v), lambda v: 2 - 2 * torch.exp(v / 2)),
}


@dataclass(frozen=True, slots=True)
class FLATConfig:
    """`divergence`: total variation is the paper's own choice."""

    divergence: Divergence = "total_variation"


def flat(template: Tensor, forgotten: Tensor, divergence: str) -> Tensor:
    """-g(template) + f*(g(forgotten)), of mean token probabilities [rows]."""
    g, conjugate = DIVERGENCES[divergence]
    return conjugate(forgotten) - g(template)


@register(
    Axis.FORGET,
    "flat",
    source="Wang et al. 2024, arXiv 2410.11143, eq. 6 and table 1",
    faithful="the mean is over answer tokens (the public code counts masked ones as 0); Neyman's "
    "conjugate is taken of g, as the paper has it, where the code takes it of v",
    claim=Claim.BEHAVIOUR,
    needs=[Need.PROMPTS],
)
class FLAT(Objective[FLATConfig]):
    """Toward a refusal and away from the answer, balanced by an f-divergence; no retain data."""

    Config = FLATConfig

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """The loss of each row."""
        refused = job.batch_saying(batch.rows, drawn(job, len(batch)))
        return flat(_mean_p(job, refused), _mean_p(job, batch), self.config.divergence)


def _mean_p(job: Job, batch: Batch) -> Tensor:
    logps, mask = token_logps(job.logits(batch), batch.labels)
    return masked_mean(logps.exp(), mask)
