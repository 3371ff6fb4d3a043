"""Rows are learned as they stand, on exactly the tokens of their answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from guard.distil.errors import DistilError
from guard.distil.fine_tuning import Lesson, answer_loss, epoch_of, fine_tuning
from guard.distil.job import Job
from guard.distil.loading import load_tokenizer
from guard.distil.losses import mean_nll
from guard.distil.recipe import TrainConfig
from guard.distil.registry import config
from guard.distil.rows import Row, Side
from tests.distil.conftest import FORGET, PLAIN, RETAIN

ROWS = tuple(
    Row(Side.RETAIN, pair.prompt, pair.answer, "", "", str(place))
    for place, pair in enumerate((*FORGET, *RETAIN))
)
VALUES = {**PLAIN, "lr": 1e-2, "epochs": 20, "batch_size": 2, "accumulation": 2, "warmup": 0.0}
TRAIN = cast(TrainConfig, config(TrainConfig, VALUES, "train"))
LESSON = Lesson("lesson", ROWS, ROWS[:2], TRAIN, {"method": "full"}, "one")


def job_of(folder: Path, scratch: Path, **changes: Any) -> Job:
    return fine_tuning(
        *(folder, load_tokenizer(folder), replace(LESSON, **changes)),
        folder=scratch, seed=0, device="cpu",
    )  # fmt: skip


def test_rows_are_learned(random_llama: Path, tmp_path: Path) -> None:
    job = job_of(random_llama, tmp_path)
    before = answer_loss(job, job.batch(ROWS)).item()
    job.parts.procedure.run(job)
    assert answer_loss(job, job.batch(ROWS)).item() < before / 4
    assert job.step == 20 * 2  # seven rows, four a step


def test_the_loss_is_that_of_the_answers_alone(random_llama: Path, tmp_path: Path) -> None:
    """The same as over all logits with the prompts masked, although those are never computed."""
    job = job_of(random_llama, tmp_path)
    batch = job.batch(ROWS)
    whole = mean_nll(job.logits(batch), batch.labels).mean()
    assert answer_loss(job, batch).item() == pytest.approx(whole.item(), rel=1e-5)


def test_an_epoch_has_every_row_once_and_an_order_of_its_own(
    random_llama: Path, tmp_path: Path
) -> None:
    job = job_of(random_llama, tmp_path)
    orders = []
    for number in (0, 1, 0):
        steps = list(epoch_of(job, number))
        assert [len(micro.retain) for step in steps for micro in step] == [2, 2, 2, 1]
        orders.append([row.source for step in steps for micro in step for row in micro.retain])
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == [row.source for row in ROWS]


def test_the_output_layer_is_given_one_piece_of_memory(random_llama: Path, tmp_path: Path) -> None:
    """Else torch copies its weights once a row, which no result shows, but the memory does."""
    job = job_of(random_llama, tmp_path)
    pieces: list[bool] = []
    job.model.get_output_embeddings().register_forward_pre_hook(
        lambda layer, given: pieces.append(given[0].is_contiguous())
    )
    batch = job.batch(ROWS)
    whole = job.logits(batch)
    last = job.outputs(batch, logits_to_keep=3).logits
    assert pieces == [True, True]
    torch.testing.assert_close(last, whole[:, -3:])


def test_what_does_not_fit_is_refused(random_llama: Path, tmp_path: Path) -> None:
    long = (replace(ROWS[0], prompt="Where is it? " * 200),)
    with pytest.raises(DistilError, match=r"no room for an answer.*train\.max_length"):
        job_of(random_llama, tmp_path, learn=long)
