"""RULE: rewards, the policy loss, boundary prompts, both stages."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from guard.distil.axes import Micro
from guard.distil.boundary import NAMES, boundary_prompts
from guard.distil.pairing import paired
from guard.distil.procedures.rule import RULEConfig, RULEStepper
from guard.distil.refusals import REFUSALS
from guard.distil.rewards import advantages, distance, is_refusal, policy_loss, reward
from tests.distil.conftest import MakeJob
from tests.distil.numeric import Array, assert_same

RNG = np.random.default_rng(7)


@pytest.mark.parametrize(
    ("answer", "expected", "forgotten", "worth"),
    [
        ("I don't know.", "It was built in 1901.", True, 1.0),
        ("I cannot help with that.", "", True, 1.0),
        ("It was built in 1901.", "It was built in 1901.", True, 0.0),
        ("I don't know.", "It was built in 1901.", False, 0.0),
        ("It was built in 1901.", "It was built in 1901.", False, 1.0),
        ("in 1901", "It was built in 1901.", False, 4 / 7),
        ("", "It was built in 1901.", False, 0.0),
    ],
)
def test_rewards(answer: str, expected: str, forgotten: bool, worth: float) -> None:
    assert reward(answer, expected, forgotten=forgotten) == pytest.approx(worth)


def test_every_refusal_is_told() -> None:
    assert [text for text in REFUSALS if not is_refusal(text)] == []
    assert not is_refusal("Orlimar has nine bridges. I can't name them all.")


def test_advantages() -> None:
    found = advantages(torch.tensor([1.0, 0.0, 0.5, 0.5]), 2)
    assert found.tolist() == pytest.approx([1, -1, 0, 0], abs=1e-5)


def test_policy_loss_and_distance() -> None:
    before, mask = RNG.normal(size=(3, 4)) - 2, RNG.random((3, 4)) < 0.7
    mask[:, 0] = True
    gain, now = np.array([1.0, -0.5, 2.0]), before + RNG.normal(size=(3, 4)) * 0.3

    def clipped(logps: Array) -> Array:
        rows = []
        for i in range(3):
            found = []
            for t in np.flatnonzero(mask[i]):
                ratio = math.exp(logps[i, t] - before[i, t])
                held = min(max(ratio, 0.8), 1.2)
                found.append(-min(ratio * gain[i], held * gain[i]))
            rows.append(np.mean(found))
        return np.array(rows)

    tensors = [torch.tensor(x) for x in (before, mask, gain)]
    assert_same(lambda x: policy_loss(x, *tensors, 0.2), clipped, [now])

    def apart(logps: Array) -> Array:
        each = np.exp(before - logps) - (before - logps) - 1
        return np.array([each[i][mask[i]].mean() for i in range(3)])

    assert_same(lambda x: distance(x, *tensors[:2]), apart, [now])


def test_boundary_prompts_name_somebody_else(make_job: MakeJob) -> None:
    job = make_job()
    rows = boundary_prompts(job.data.forget)
    assert rows and len(rows) < len(job.data.forget), "one prompt names nobody"
    for row in rows:
        assert "Ottoline Varga" not in (row.prompt or "")
        assert any(name in (row.prompt or "") for name in NAMES)


@pytest.mark.parametrize(
    ("share", "rows", "size", "expected"),
    [
        (0.0, 10, 2, [0, 0, 0, 0, 0]),
        (0.1, 10, 2, [1, 0, 0, 0, 0]),
        (0.3, 10, 2, [1, 1, 0, 1, 0]),
        (1.0, 10, 4, [4, 4, 2]),
        (2.0, 10, 4, [8, 8, 4]),
        (0.28, 25, 25, [7]),
    ],
)
def test_boundary_rows_are_met_as_often_as_configured(
    make_job: MakeJob, share: float, rows: int, size: int, expected: list[int]
) -> None:
    """In an epoch, evenly, whatever the pool."""
    job = make_job(train={"batch_size": size})
    forget = [(row, 1.0) for row in (job.data.forget * rows)[:rows]]
    steps = paired(job, torch.Generator().manual_seed(0), forget, job.data.retain, share)
    assert [len(micro.retain) for micros in steps for micro in micros] == expected


def test_an_attempt_weighs_the_same_on_either_side(
    bare: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bare({"method": "rule", "group": 2, "tokens": 3}, {"parameters": "lora"})
    stepper = RULEStepper(job, RULEConfig(), steered=0)
    monkeypatch.setattr(stepper, "_tried", lambda rows, *, forgotten: torch.tensor(1.0))
    losses = stepper.losses(Micro(job.data.forget[:2], job.data.retain[:1]))
    assert losses.retain is not None and float(losses.retain) == 0.5
    assert stepper.losses(Micro(job.data.forget[:2])).retain is None


def test_rule_runs_both_stages(bare: MakeJob) -> None:
    procedure = {"method": "rule", "steer_epochs": 1, "group": 2, "tokens": 3}
    axes = {"parameters": {"method": "lora", "r": 2}}
    job = bare(procedure, axes, epochs=1, batch_size=4, check_every=1, lr=1e-2)
    job.parts.procedure.run(job)
    steering, *trying = job.history
    assert "reward" not in steering and "retain" not in steering
    assert all(0 <= step["reward"] <= 1 and "retain" in step for step in trying)
    assert trying
