"""One retain row, drawn at random, beside each forget row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from guard.distil.axes import Micro, Sampler
from guard.distil.job import Job
from guard.distil.part import Axis, NoConfig
from guard.distil.registry import register
from guard.distil.sampling import chunks, epoch_generator, retained_rows, shuffled


@register(
    Axis.SAMPLE,
    "one_to_one",
    source="Maini et al. 2024, arXiv 2401.06121 (as their public code pairs rows)",
)
class OneToOne(Sampler[NoConfig]):
    """Forget rows in random order, each with a retain row drawn with replacement."""

    def epoch(self, job: Job, number: int) -> Iterator[Sequence[Micro]]:
        """Every forget row once."""
        draw = epoch_generator(job, number)
        keep = retained_rows(job)
        micros = []
        for rows in chunks(shuffled(job.data.forget, draw), job.recipe.train.batch_size):
            beside = ()
            if keep:
                picks = torch.randint(len(keep), (len(rows),), generator=draw).tolist()
                beside = tuple(keep[i] for i in picks)
            micros.append(Micro(rows, beside))
        yield from chunks(tuple(micros), job.recipe.train.accumulation)
