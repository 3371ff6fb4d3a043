"""The default procedure: the axes, step by step."""

from __future__ import annotations

from guard.distil.axes import Procedure
from guard.distil.job import Job
from guard.distil.part import Axis, NoConfig
from guard.distil.registry import register
from guard.distil.stepper import AxisStepper
from guard.distil.trainer import Trainer


@register(Axis.PROCEDURE, "train", source="")
class Train(Procedure[NoConfig]):
    """Minimises the chosen losses as the axes say."""

    def run(self, job: Job) -> None:
        """Trains until the epochs are over or the retain budget is spent."""
        Trainer(job, AxisStepper(job)).run()
