"""Logit-margin flattening: no token of the answer stands out any more."""

from __future__ import annotations

from torch import Tensor

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.losses import answer_positions, masked_mean
from guard.distil.part import Axis, Claim, NoConfig
from guard.distil.registry import register


def logit_margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over each row's answer positions of (max_k z_k - mean_k z_k)^2, [rows]."""
    scores, _, mask = answer_positions(logits, labels)
    margin = scores.max(-1).values - scores.mean(-1)
    return masked_mean(margin * margin, mask)


@register(
    Axis.FORGET,
    "logit_margin",
    source="Entesari et al. 2025, arXiv 2506.05314 (constrained entropic unlearning)",
    faithful="positions are shifted to those that foretell the answer; the public code is off by "
    "one. Its constraint is the combiner primal_dual",
    claim=Claim.BEHAVIOUR,
)
class LogitMargin(Objective[NoConfig]):
    """Flattens the next-token distribution on the forgotten answers; bounded below by 0."""

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """The squared margin of each row."""
        return logit_margin(job.logits(batch), batch.labels)
