"""BLUR: forgetting first, retention as far as forgetting leaves it free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor

from guard.distil.axes import Combiner, Losses
from guard.distil.gradients import Apart, cut_to, write_gradient
from guard.distil.job import Job
from guard.distil.part import Axis, Need
from guard.distil.registry import register


@dataclass(frozen=True, slots=True)
class BilevelConfig:
    """`gamma`: how much of the forget gradient the update keeps. `alpha`: the weight of the
    retain gradient's part beside it (1 for TOFU and MUSE, 800 for WMDP on RMU's losses). `clip`:
    the norm that each gradient is cut to before both are combined, as for TOFU; 0 for none.
    """

    gamma: Annotated[float, Field(ge=0)] = 1.0
    alpha: Annotated[float, Field(ge=0)] = 1.0
    clip: Annotated[float, Field(ge=0)] = 0.0


def bilevel(forget: Tensor, retain: Tensor, gamma: float, alpha: float = 1.0) -> Tensor:
    """gamma g_f + alpha (g_r - q g_f), q = <g_r, g_f> / |g_f|^2; all flat [n].

    Hence <g, g_f> = gamma |g_f|^2. Where g_f is 0 nothing is in the way of g_r.
    """
    square = forget @ forget
    if not square > 0:
        return alpha * retain
    return gamma * forget + alpha * (retain - (retain @ forget) / square * forget)


@register(
    Axis.COMBINE,
    "bilevel",
    source="BLUR, arXiv 2506.08164, update of the upper level",
    faithful="as published; a forget gradient of 0, which the published MUSE and WMDP code "
    "divides by, leaves the retain gradient as it is",
    needs=[Need.RETAIN],
)
class Bilevel(Combiner[BilevelConfig]):
    """The lower level forgets; the upper one retains in what directions are left.

    The inner product is over all trained parameters at once. `train.clip` scales the combined
    gradient afterwards and keeps its direction.
    """

    Config = BilevelConfig

    def __init__(self, config: BilevelConfig) -> None:
        super().__init__(config)
        self._apart = Apart()

    def backward(self, job: Job, losses: Losses, share: float) -> None:
        """Both gradients apart; penalties belong to the upper level."""
        self._apart.add(job, losses, share, penalise="retain")

    def after_backward(self, job: Job) -> None:
        """Writes the combined gradient to `.grad`."""
        forget, retain = self._apart.taken(job)
        if retain is None:
            raise RuntimeError("bilevel was given a step without retain rows")
        forget, retain = (cut_to(vector, self.config.clip) for vector in (forget, retain))
        write_gradient(job, bilevel(forget, retain, self.config.gamma, self.config.alpha))
