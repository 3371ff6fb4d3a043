"""SSD: what is dampened, and when nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from guard.distil.errors import BudgetSpent, DistilError
from guard.distil.losses import mean_nll
from guard.distil.procedures.ssd import dampened, importance
from tests.distil.conftest import MakeJob
from tests.distil.test_parameters import untouched


def test_dampening() -> None:
    weight = torch.tensor([1.0, 1.0, -2.0, 1.0])
    forget, whole = torch.tensor([1.0, 50.0, 50.0, 0.0]), torch.tensor([1.0, 1.0, 1.0, 0.0])
    assert dampened(weight, forget, whole, 10.0, 1.0).tolist() == pytest.approx(
        [1.0, 0.02, -0.04, 1.0]
    )
    assert torch.equal(dampened(weight, forget, whole, 10.0, 100.0), weight), "never enlarged"


def test_importance_squares_row_by_row(make_job: MakeJob) -> None:
    job = make_job(parameters="full")
    job.model.double()
    rows = job.data.forget[:2]
    found = importance(job, rows)
    name = "model.layers.0.mlp.up_proj.weight"
    squares = []
    for row in rows:
        job.model.zero_grad()
        batch = job.batch([row])
        mean_nll(job.model(**batch.inputs).logits, batch.labels).sum().backward()
        squares.append(job.trained[name].grad.square())  # type: ignore[union-attr]
    assert torch.allclose(found[name], sum(squares) / 2, rtol=1e-9, atol=0)  # type: ignore[arg-type]


def test_ssd(bare: MakeJob, random_llama: Path) -> None:
    job = bare({"method": "ssd", "alphas": [1.2]})
    forget = importance(job, job.data.forget)
    whole = importance(job, (*job.data.forget, *job.data.retain))
    job.parts.procedure.run(job)
    start = dict(untouched(random_llama).named_parameters())
    changed = 0
    for name, parameter in job.model.named_parameters():
        goes = forget[name] > 1.2 * whole[name]
        expected = start[name].clone()
        expected[goes] *= whole[name][goes] / forget[name][goes]
        torch.testing.assert_close(parameter, expected, rtol=1e-6, atol=0)
        assert (parameter[goes].abs() < start[name][goes].abs()).sum() == goes.sum()
        changed += int(goes.sum())
    assert changed == job.outcome["dampened_weights"] > 0


def test_ssd_past_its_budget(bare: MakeJob) -> None:
    job = bare({"method": "ssd", "alphas": [1e-6], "strength": 1e-9}, retain_budget=0.0)
    with pytest.raises(BudgetSpent, match="alpha"):
        job.parts.procedure.run(job)


def test_ssd_with_nothing_to_dampen(bare: MakeJob) -> None:
    """|D| / |D_f| is below 10 here, so no weight can be above it."""
    job = bare({"method": "ssd"})
    with pytest.raises(DistilError, match=r"the most there can be is [1-9]\.\d+"):
        job.parts.procedure.run(job)
