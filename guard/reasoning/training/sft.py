"""Supervised fine-tuning by the loop of `guard distil`: its checkpoints, looks and adapters.

DRAGON's settings (arXiv 2511.05784, appendix C.3 and its released script). Faithful: prompts masked
from the loss, AdamW, learning rate, weight decay, epochs, length, rows a step. Not: its optimiser
keeps its state in pages, which only saves memory; it weighs tokens alike, where rows are here.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from guard import __version__
from guard.distil.axes import Micro, Parameters, Procedure
from guard.distil.checkpoints import FORMAT
from guard.distil.encoding import Batch, Encoder
from guard.distil.errors import DistilError
from guard.distil.job import Job, Parts
from guard.distil.losses import mean_nll
from guard.distil.part import About, Axis, NoConfig
from guard.distil.recipe import Recipe, TrainConfig
from guard.distil.registry import as_values, build, config
from guard.distil.rows import Data, Row, Side
from guard.distil.run import accelerator_for, attach, encoder_for, load_for
from guard.distil.sampling import chunks
from guard.distil.stepper import AxisStepper
from guard.distil.trainer import Report, Trainer
from guard.errors import GuardModelError
from guard.reasoning.training.data import Rows
from guard.reasoning.training.settings import SftSettings

_NOWHERE = 2**31  # tokenizers say so where they know of no limit


class FineTuning(Procedure[NoConfig]):
    """Learns the rows as they stand. Not in the registry: it bakes no policy into anything."""

    about: ClassVar[About] = About(
        Axis.PROCEDURE, "fine_tuning", "learns instructions", "arXiv 2511.05784, C.3", "see sft.py"
    )

    def run(self, job: Job) -> None:
        """Trains to the last step; what is held out is looked at and stops nothing."""
        Trainer(job, SftStepper(job), steps=lambda epoch: epoch_of(job, epoch)).run()


class SftStepper(AxisStepper):
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


def answer_loss(job: Job, batch: Batch) -> Tensor:
    """Mean negative log-likelihood of the instructions' tokens. Logits of the prompt, which is
    most of a row, are never computed: with a large vocabulary they take most of the memory."""
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


def job_for(
    model: Path,
    tokenizer: Any,
    parts: tuple[Rows, Rows],
    settings: SftSettings,
    *,
    base: str,
    folder: Path,
    seed: int,
    device: str,
    report: Callable[[Report], None],
) -> Job:
    """A job that is ready to run, on the rows to learn and those held out. `base`: the model's
    hash. Raises GuardModelError and DistilError."""
    train = _train(settings)
    method = {"method": "full"} if settings.full else {"method": "lora", "r": settings.rank}
    parameters = cast("Parameters[Any]", build(Axis.PARAMETERS, method))
    accelerator = accelerator_for(train.precision, device)
    torch.manual_seed(seed)
    loaded = load_for(model, parameters.form, accelerator)
    encoder = encoder_for(tokenizer, loaded, train)
    encoder.max_length = min(encoder.max_length, _context(loaded, tokenizer))
    for rows in parts:
        _fits(encoder, rows)
    job = Job(
        model=loaded,
        encoder=encoder,
        data=Data((), retain=_rows("train", parts[0]), held=_rows("held", parts[1])),
        recipe=Recipe("guard-model", "", {"parameters": as_values(parameters)}, train),
        parts=Parts(None, None, None, None, parameters, FineTuning(NoConfig())),
        accelerator=accelerator,
        seed=seed,
        generator=torch.Generator().manual_seed(seed),
        folder=folder,
        fingerprint=_fingerprint(base, parts, settings, seed),
        retain_budget=math.inf,
        report=report if accelerator.is_main_process else lambda now: None,
    )
    try:
        attach(job)
    except ValueError as error:  # peft: no layer has these names
        raise GuardModelError(f"this model takes no adapter, try --full: {error}") from error
    return job


def _train(settings: SftSettings) -> TrainConfig:
    accumulation = max(1, math.ceil(settings.batch / max(1, settings.at_once)))
    values = {
        "lr": settings.rate,
        "scale_lr": False,  # the rate is the paper's, whatever the width
        "epochs": settings.epochs,
        "least_steps": 0,
        "max_steps": settings.max_steps,
        "batch_size": min(settings.at_once, settings.batch),
        "accumulation": accumulation,
        "weight_decay": settings.weight_decay,
        "precision": settings.precision,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "max_length": settings.max_length,
        "check_every": settings.check_every,
        "probe_rows": settings.looked_at,
    }
    return cast(TrainConfig, config(TrainConfig, values, "train"))


def _context(model: Any, tokenizer: Any) -> int:
    """How many tokens the model reads at most."""
    known = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return min(int(known or _NOWHERE), int(tokenizer.model_max_length or _NOWHERE))


def _fits(encoder: Encoder, rows: Rows) -> None:
    longest = max(len(encoder.prompt_ids(one.prompt)) for one in rows.examples)
    if longest >= encoder.max_length:
        raise GuardModelError(
            f"a prompt of {longest} tokens leaves no room for an instruction within "
            f"{encoder.max_length}: raise train.max_length, or take a model that reads more"
        )


def _rows(part: str, rows: Rows) -> tuple[Row, ...]:
    return tuple(
        Row(Side.RETAIN, one.prompt, one.instruction, "", "", f"{part}[{place}]")
        for place, one in enumerate(rows.examples)
    )


def _fingerprint(base: str, parts: tuple[Rows, Rows], settings: SftSettings, seed: int) -> str:
    hashes = [rows.hash for rows in parts]
    named = ["guard-model", __version__, FORMAT, base, hashes, asdict(settings), seed]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()
