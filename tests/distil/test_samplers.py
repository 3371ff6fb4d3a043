"""Which rows meet, and that a resumed run meets the same."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from guard.distil.axes import Micro
from guard.distil.job import Job
from guard.distil.losses import mean_nll
from guard.distil.rows import Row, Side
from guard.distil.sample.attribution import attribution_weights
from guard.distil.sample.cyclic import cycled
from guard.distil.sample.fit_filter import unlike
from guard.distil.sample.melu import neighbours
from guard.policy import Entity
from tests.distil.conftest import FORGET, MakeJob, policy_set

NAMES = ["cyclic", "melu", "attribution", "fit_filter"]


def micros(job: Job, epoch: int) -> list[Micro]:
    assert job.parts.sample is not None
    return [micro for step in job.parts.sample.epoch(job, epoch) for micro in step]


@pytest.mark.parametrize("name", NAMES)
def test_epochs(make_job: MakeJob, name: str) -> None:
    job = make_job(sample=name, train={"accumulation": 2})
    first = micros(job, 0)
    assert first == micros(job, 0), "an epoch is a function of seed and number"
    assert first != micros(job, 1)
    for micro in first:
        assert 0 < len(micro.forget) <= 2
        assert len(micro.retain) == len(micro.forget)
        assert all(row.side is Side.FORGET for row in micro.forget)
    seen = Counter(row.id for micro in first for row in micro.forget)
    if name == "fit_filter":
        assert len(seen) == len(job.data.forget) - job.outcome["rows_left_out"]
    else:
        assert seen.keys() == {row.id for row in job.data.forget}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_retained(make_job: MakeJob, name: str) -> None:
    needs_rows = name == "attribution"
    job = make_job(sample=name, retain="none")
    assert all(not micro.retain for micro in micros(job, 0))
    assert needs_rows == bool(job.parts.sample and job.parts.sample.about.needs)


def test_cyclic_misses_nothing(make_job: MakeJob) -> None:
    job = make_job(sample="cyclic", retain={"method": "cross_entropy"})
    job.data = type(job.data)(job.data.forget[:3], job.data.retain)
    found = micros(job, 0)
    assert {r.id for m in found for r in m.retain} == {r.id for r in job.data.retain}
    counts = Counter(r.id for m in found for r in m.forget)
    assert sorted(counts.values()) == [1, 1, 2]
    assert cycled((1, 2), 5) == (1, 2, 1, 2, 1)


def test_melu_goes_subject_by_subject(make_job: MakeJob) -> None:
    entities = (Entity("Ottoline Varga"), Entity("Quill"))
    job = make_job(policy_set(entities=entities), sample="melu")
    subjects = [{row.entity for row in micro.forget} for micro in micros(job, 0)]
    assert all(len(one) == 1 for one in subjects)
    order = [next(iter(one)) for one in subjects]
    changes = sum(a != b for a, b in pairwise(order))
    assert len(set(order)) > 1
    assert changes == len(set(order)) - 1, "no subject comes back within an epoch"


def row(prompt: str, answer: str) -> Row:
    return Row(Side.RETAIN, prompt, answer, "p", "h", "s")


def test_neighbours_share_words() -> None:
    rows = [row("Who painted the ceiling of Senn?", "Ottoline Varga.")]
    near = row("Who repaired the ceiling of Senn?", "A roofer.")
    far = row("What is two and two?", "Four.")
    assert neighbours(rows, [far, near], 1) == ((near,), (far,))


def test_attribution_weights_and_scores(make_job: MakeJob) -> None:
    """Against gradients of plain backward passes, and the softmax written out."""
    job = make_job(sample="attribution", parameters="full")
    sampler: Any = job.parts.sample

    def gradient(rows: tuple[Row, ...]) -> Any:
        job.model.zero_grad()
        batch = job.batch(rows)
        mean_nll(job.model(**batch.inputs).logits, batch.labels).mean().backward()
        return torch.cat([p.grad.reshape(-1).double() for p in job.trained.values()])  # type: ignore[union-attr]

    job.model.eval()
    mean = gradient(job.data.retain)
    a = np.array([float(gradient((row,)) @ mean) for row in job.data.forget])
    scaled = np.exp(-a / a.std())
    np.testing.assert_allclose(sampler.weights, len(a) * scaled / scaled.sum(), rtol=1e-3)
    assert np.mean(sampler.weights) == pytest.approx(1)
    again = type(sampler)(sampler.config)
    again.load_state_dict(sampler.state_dict())
    assert again.weights == sampler.weights


def test_equal_scores_weigh_alike() -> None:
    assert attribution_weights(torch.full((3,), 0.5), 1.0).tolist() == [1, 1, 1]
    falling = attribution_weights(torch.tensor([0.0, 1.0, 2.0]), 1.0)
    assert falling[0] > falling[1] > falling[2]


@pytest.mark.parametrize(
    ("losses", "kept"),
    [
        ([1.0, 1.0, 1.0, 1.0], [0, 2]),
        ([1.0, 9.0, 1.0, 1.0], [0, 1, 2]),  # alike, but leaving it out would change the loss
    ],
)
def test_filter_leaves_out_what_was_said(losses: list[float], kept: list[int]) -> None:
    states = torch.tensor([[1.0, 0.0], [0.99, 0.05], [0.0, 1.0], [0.0, 3.0]])
    assert unlike(states, torch.tensor(losses), 0.9, 0.8) == kept


def test_a_repeated_row_is_filtered(make_job: MakeJob) -> None:
    job = make_job(
        policy_set(pairs=(FORGET[0], FORGET[0], FORGET[1])),
        sample={"method": "fit_filter", "near": 0.9999, "change": 10.0},
    )
    assert job.outcome["rows_left_out"] >= 1
