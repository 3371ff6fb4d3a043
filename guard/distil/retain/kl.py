"""Stay near what the start model would have said."""

from __future__ import annotations

from torch import Tensor

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.losses import answer_kl
from guard.distil.part import Axis, Need, NoConfig
from guard.distil.registry import register


@register(
    Axis.RETAIN,
    "kl",
    source="Maini et al. 2024, arXiv 2401.06121, KL minimisation",
    faithful="on answer tokens only; the published code also counts prompt and padding",
    needs=[Need.RETAIN, Need.REFERENCE],
)
class KL(Objective[NoConfig]):
    """KL of the start model's next-token distribution from the trained one's."""

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """KL(start || trained), mean over each row's answer tokens."""
        return answer_kl(job.logits(batch), job.reference_logits(batch), batch.labels)
