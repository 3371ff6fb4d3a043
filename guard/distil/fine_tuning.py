"""Supervised fine-tuning by the loop of `guard distil`: its checkpoints, looks and adapters.

Bakes no policy into anything and is in no registry: a guard model learns to write instructions by
it, and a model that ways to forget are compared on learns what is to be forgotten.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from guard.distil.axes import Micro, Parameters, Procedure
from guard.distil.encoding import Batch, Encoder
from guard.distil.errors import DistilError
from guard.distil.job import Job, Parts
from guard.distil.losses import mean_nll
from guard.distil.part import About, Axis, NoConfig
from guard.distil.recipe import Recipe, TrainConfig
from guard.distil.registry import as_values, build
from guard.distil.rows import Data, Row
from guard.distil.run import accelerator_for, attach, encoder_for, load_for
from guard.distil.sampling import chunks
from guard.distil.stepper import AxisStepper
from guard.distil.trainer import Report, Trainer

_NOWHERE = 2**31  # tokenizers say so where they know of no limit


class FineTuning(Procedure[NoConfig]):
    """Learns the rows as they stand."""

    about: ClassVar[About] = About(
        Axis.PROCEDURE, "fine_tuning", "learns its rows", "cross-entropy on answers", "as usual"
    )

    def run(self, job: Job) -> None:
        """Trains to the last step; what is held out is looked at and stops nothing."""
        Trainer(job, FineTuningStepper(job), steps=lambda epoch: epoch_of(job, epoch)).run()


class FineTuningStepper(AxisStepper):
    """Optimiser, schedule and clipping of the axes, with one loss."""

    def step(self, micros: Sequence[Micro]) -> dict[str, float]:
        """Accumulate over the micro-batches, then move."""
        job, whole = self.job, sum(len(micro.retain) for micro in micros)
        job.wrapped.train()
        measured = 0.0
        for micro in micros:
            share = len(micro.retain) / whole
            own = micro.share(job.accelerator.process_index, job.accelerator.num_processes)
            loss = answer_loss(job, job.batch(own.retain)) * share
            measured += float(loss.detach())
            job.accelerator.backward(loss)
        if not math.isfinite(measured):
            raise DistilError("the loss is not a finite number; lower train.lr")
        self.move()
        return {"loss": measured}


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learned: rows, those that are held out and only looked at, and how.

    `name` and `fingerprint` tell one run from another, whose checkpoints it must not take.
    """

    name: str
    learn: tuple[Row, ...]
    held: tuple[Row, ...]
    train: TrainConfig
    parameters: dict[str, Any]
    fingerprint: str


def answer_loss(job: Job, batch: Batch) -> Tensor:
    """Mean negative log-likelihood of the answers' tokens. Logits of what prompts have in common
    are never computed: with a large vocabulary they take most of the memory."""
    first = int((batch.labels >= 0).int().argmax(dim=1).min())
    kept = batch.labels.shape[1] - first + 1  # the token before foretells the first
    logits = job.outputs(batch, logits_to_keep=kept).logits
    return mean_nll(logits[:, -kept:], batch.labels[:, -kept:]).mean()


def epoch_of(job: Job, number: int) -> Iterator[Sequence[Micro]]:
    """The steps of one pass: all rows in an order of the seed's."""
    train = job.recipe.train
    rows = list(job.data.retain)
    random.Random(f"{job.seed}/{number}").shuffle(rows)
    for step in chunks(tuple(rows), train.batch_size * train.accumulation):
        yield [Micro((), piece) for piece in chunks(step, train.batch_size)]


def fine_tuning(
    model: Path,
    tokenizer: Any,
    lesson: Lesson,
    *,
    folder: Path,
    seed: int,
    device: str,
    report: Callable[[Report], None] = lambda now: None,
) -> Job:
    """A job that is ready to run; its checkpoints stand in `folder`. Raises DistilError."""
    parameters = cast("Parameters[Any]", build(Axis.PARAMETERS, lesson.parameters))
    accelerator = accelerator_for(lesson.train.precision, device)
    torch.manual_seed(seed)
    loaded = load_for(model, parameters.form, accelerator)
    encoder = encoder_for(tokenizer, loaded, lesson.train)
    encoder.max_length = min(encoder.max_length, _context(loaded, tokenizer))
    _fits(encoder, (*lesson.learn, *lesson.held))
    job = Job(
        model=loaded,
        encoder=encoder,
        data=Data((), retain=lesson.learn, held=lesson.held),
        recipe=Recipe(lesson.name, "", {"parameters": as_values(parameters)}, lesson.train),
        parts=Parts(None, None, None, None, parameters, FineTuning(NoConfig())),
        accelerator=accelerator,
        seed=seed,
        generator=torch.Generator().manual_seed(seed),
        folder=folder,
        fingerprint=lesson.fingerprint,
        retain_budget=math.inf,
        report=report if accelerator.is_main_process else lambda now: None,
    )
    try:
        attach(job)
    except ValueError as error:  # peft: no layer has these names
        raise DistilError(f"this model takes no adapter, train all weights: {error}") from error
    return job


def _context(model: Any, tokenizer: Any) -> int:
    """How many tokens the model reads at most."""
    known = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return min(int(known or _NOWHERE), int(tokenizer.model_max_length or _NOWHERE))


def _fits(encoder: Encoder, rows: tuple[Row, ...]) -> None:
    longest = max(len(encoder.prompt_ids(row.prompt or "")) for row in rows)
    if longest >= encoder.max_length:
        raise DistilError(
            f"a prompt of {longest} tokens leaves no room for an answer within "
            f"{encoder.max_length}: raise train.max_length, or take a model that reads more"
        )
