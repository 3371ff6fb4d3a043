"""IDK: learn to answer that one does not know."""

from __future__ import annotations

from torch import Tensor

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.losses import mean_nll
from guard.distil.part import Axis, Claim, Need, NoConfig
from guard.distil.refusals import drawn
from guard.distil.registry import register


@register(
    Axis.FORGET,
    "idk",
    source="Maini et al. 2024, arXiv 2401.06121, preference optimisation (IDK)",
    faithful="16 refusals of our own instead of TOFU's 100",
    claim=Claim.BEHAVIOUR,
    needs=[Need.PROMPTS],
)
class IDK(Objective[NoConfig]):
    """Cross-entropy on a refusal, drawn anew each time, in place of the answer."""

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """Mean negative log-likelihood of each refusal."""
        refused = job.batch_saying(batch.rows, drawn(job, len(batch)))
        return mean_nll(job.logits(refused), refused.labels)
