"""Gradient ascent: the likelihood of the answer is driven down, without bound."""

from __future__ import annotations

from torch import Tensor

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.losses import mean_nll
from guard.distil.part import Axis, Claim, NoConfig
from guard.distil.registry import register


@register(
    Axis.FORGET,
    "gradient_ascent",
    source="Jang et al. 2023, arXiv 2210.01504, eq. 1; Maini et al. 2024, arXiv 2401.06121",
    claim=Claim.BEHAVIOUR,
)
class GradientAscent(Objective[NoConfig]):
    """Ascends the mean loss of the forgotten answers; stops nowhere by itself."""

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """Minus the mean negative log-likelihood of each answer."""
        return -mean_nll(job.logits(batch), batch.labels)
