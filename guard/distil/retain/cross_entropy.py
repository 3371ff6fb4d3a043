"""Cross-entropy: go on learning what is to stay."""

from __future__ import annotations

from torch import Tensor

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.losses import mean_nll
from guard.distil.part import Axis, Need, NoConfig
from guard.distil.registry import register


@register(
    Axis.RETAIN,
    "cross_entropy",
    source="Liu et al. 2022 (gradient difference), as in arXiv 2401.06121",
    needs=[Need.RETAIN],
)
class CrossEntropy(Objective[NoConfig]):
    """The mean negative log-likelihood of the retained answers."""

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """Mean over each row's answer tokens."""
        return mean_nll(job.logits(batch), batch.labels)
