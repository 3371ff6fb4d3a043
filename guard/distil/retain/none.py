"""Nothing is retained on purpose."""

from __future__ import annotations

from torch import Tensor

from guard.distil.axes import Objective
from guard.distil.encoding import Batch
from guard.distil.job import Job
from guard.distil.part import Axis, NoConfig
from guard.distil.registry import register


@register(Axis.RETAIN, "none", source="")
class Nothing(Objective[NoConfig]):
    """No retain term: the forget loss alone."""

    def terms(self, job: Job, batch: Batch) -> Tensor:
        """Zeros; the stepper does not ask, since `Parts.retain` is then None."""
        return batch.weights.new_zeros(len(batch))
