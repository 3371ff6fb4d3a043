"""How a guard model is fine-tuned, by the loop of `guard distil`.

DRAGON's settings (arXiv 2511.05784, appendix C.3 and its released script). Faithful: prompts masked
from the loss, AdamW, learning rate, weight decay, epochs, length, rows a step. Not: its optimiser
keeps its state in pages, which only saves memory; it weighs tokens alike, where rows are here.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from guard import __version__
from guard.distil.checkpoints import FORMAT
from guard.distil.fine_tuning import Lesson, fine_tuning
from guard.distil.job import Job
from guard.distil.recipe import TrainConfig
from guard.distil.registry import config
from guard.distil.rows import Row, Side
from guard.distil.trainer import Report
from guard.reasoning.training.data import Rows
from guard.reasoning.training.settings import SftSettings


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
    hash. Raises DistilError where the model or the prompts do not fit."""
    lesson = Lesson(
        "guard-model",
        _rows("train", parts[0]),
        _rows("held", parts[1]),
        _train(settings),
        {"method": "full"} if settings.full else {"method": "lora", "r": settings.rank},
        _fingerprint(base, parts, settings, seed),
    )
    return fine_tuning(
        model, tokenizer, lesson, folder=folder, seed=seed, device=device, report=report
    )


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


def _rows(part: str, rows: Rows) -> tuple[Row, ...]:
    return tuple(
        Row(Side.RETAIN, one.prompt, one.instruction, "", "", f"{part}[{place}]")
        for place, one in enumerate(rows.examples)
    )


def _fingerprint(base: str, parts: tuple[Rows, Rows], settings: SftSettings, seed: int) -> str:
    hashes = [rows.hash for rows in parts]
    named = ["guard-model", __version__, FORMAT, base, hashes, asdict(settings), seed]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()
