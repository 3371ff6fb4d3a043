"""Every weight moves."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from guard.distil.axes import Parameters
from guard.distil.job import Job
from guard.distil.part import Axis, Need, NoConfig
from guard.distil.registry import register


@register(Axis.PARAMETERS, "full", source="")
class Full(Parameters[NoConfig]):
    """All weights; comes out as a whole model, a second upstream."""

    form: ClassVar[str] = "weights"
    _start: Any = None

    def attach(self, job: Job) -> Any:
        """The model itself. A frozen copy is kept where some part compares with the start."""
        job.model.requires_grad_(True)
        if any(Need.REFERENCE in part.about.needs for part in job.parts):
            self._start = copy.deepcopy(job.model).eval().requires_grad_(False)
        return job.model

    @contextmanager
    def reference(self, job: Job) -> Iterator[Any]:
        """The copy; raises `RuntimeError` when no part declared `Need.REFERENCE`."""
        if self._start is None:
            raise RuntimeError("a part uses the start model without declaring Need.REFERENCE")
        yield self._start

    def save(self, job: Job, folder: Path) -> None:
        """The whole model in the transformers layout."""
        job.model.save_pretrained(folder)
        job.encoder.tokenizer.save_pretrained(folder)
