"""The geometry of the combiners: identities, and references written in another way."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from guard.distil.axes import Losses
from guard.distil.combine.bilevel import bilevel
from guard.distil.combine.gu import GU, GUConfig, candidate, realised
from guard.distil.combine.primal_dual import ascend
from guard.distil.geometry import into_cone, orthonormal
from guard.distil.job import Job
from guard.distil.probe import mean_loss
from guard.distil.recipe import load_recipe
from guard.distil.stepper import AxisStepper
from guard.distil.trainer import Trainer
from tests.distil.conftest import MakeJob
from tests.distil.numeric import Array

RNG = np.random.default_rng(3)
SIZE, RANK = 12, 3
FORGET, RETAIN, DELTA = (RNG.normal(size=SIZE) for _ in range(3))
HISTORY = np.column_stack([RNG.normal(size=(SIZE, RANK - 1)), RETAIN])
METRIC = RNG.uniform(0.05, 2.0, size=SIZE)


def t(array: Array) -> Tensor:
    return torch.tensor(array, dtype=torch.float64)


def reference_tangent(gamma: float, tau: float, kappa: float, repair: float) -> Array:
    """The published rule, by a numpy QR of the whitened gradients."""
    root = np.sqrt(METRIC)
    q = np.linalg.qr(HISTORY / root[:, None])[0]
    zf, zr = FORGET / root, RETAIN / root
    a, b = q.T @ zf, q.T @ zr
    free = zf - q @ a
    keep = sum((a[i] * q[:, i] for i in range(RANK) if a[i] * b[i] > tau), np.zeros(SIZE))
    most = kappa * np.linalg.norm(free)
    if np.linalg.norm(keep) > most:
        keep = keep / np.linalg.norm(keep) * most
    return np.asarray(root * (gamma * (free + keep) + repair * (q @ q.T @ zr)))


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"gamma": 0.5, "repair": 0.3},
        {"kappa": 0.2},
        {"kappa": 100.0, "tau": 0.01},
        {"kappa": 0.7, "tau": 0.5, "repair": 1.0, "gamma": 2.0},
    ],
)
def test_gu_follows_the_published_rule(rule: dict[str, Any]) -> None:
    config = GUConfig(**rule)
    ours = candidate(t(FORGET), t(RETAIN), t(HISTORY), t(METRIC), config)
    theirs = reference_tangent(config.gamma, config.tau, config.kappa, config.repair)
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-6, atol=1e-9)


def test_gu_orthogonal_after_adam_divides() -> None:
    """-P g is the step; plain projection without the metric would not pass."""
    step = candidate(t(FORGET), t(RETAIN), t(HISTORY), t(METRIC), GUConfig()) / t(METRIC)
    assert (t(HISTORY).T @ step).abs().max() < 1e-12
    # Oblique projection by the normal equations, the second way to the same vector.
    p = np.diag(1 / METRIC)
    hidden = HISTORY @ np.linalg.solve(HISTORY.T @ p @ HISTORY, HISTORY.T @ p @ FORGET)
    np.testing.assert_allclose(step.numpy(), p @ (FORGET - hidden), rtol=1e-6)


def reference_cone(vector: Array, normals: Array) -> Array:
    """Nearest point of the cone, by trying every set of constraints that may hold tightly."""
    best, found = np.inf, vector
    for size in range(normals.shape[1] + 1):
        for chosen in combinations(range(normals.shape[1]), size):
            tight = normals[:, list(chosen)]
            point = vector - tight @ np.linalg.pinv(tight) @ vector if size else vector
            if (normals.T @ point).min() > -1e-9 and np.linalg.norm(point - vector) < best:
                best, found = np.linalg.norm(point - vector), point
    return np.asarray(found)


@pytest.mark.parametrize("seed", range(12))
def test_cone_projection(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vector, normals = rng.normal(size=6), rng.normal(size=(6, 4)) + 0.4
    if seed % 3 == 0:  # two constraints that are one
        normals[:, 3] = 2 * normals[:, 0]
    ours = into_cone(t(vector), t(normals)).numpy()
    np.testing.assert_allclose(ours, reference_cone(vector, normals), rtol=1e-6, atol=1e-8)


def test_realised_steps() -> None:
    history, delta, metric = t(HISTORY), t(DELTA), t(METRIC)

    def left(how: str) -> Tensor:
        return realised(delta, history, metric, GUConfig(realised=how))  # type: ignore[arg-type]

    assert (history.T @ left("orthogonal")).abs().max() < 1e-12
    assert (history.T @ left("half_space")).max() < 1e-12
    assert torch.equal(left("off"), delta)
    assert (history.T @ delta).max() > 1e-4, "this delta would raise a retain loss"
    rise = float((history.T @ delta).max())
    bounded = GUConfig(realised="first_order", retain_budget=rise * 0.3)
    assert torch.equal(realised(delta, history, metric, bounded), delta * 0.25)
    none = GUConfig(realised="first_order", retain_budget=0.0)
    assert not realised(delta, history, metric, none).any()


def test_a_repeated_gradient_adds_no_direction() -> None:
    columns = t(np.column_stack([RETAIN, RETAIN * 3, FORGET, np.zeros(SIZE)]))
    basis = orthonormal(columns, 1e-6)
    assert basis.shape == (SIZE, 2)
    assert torch.allclose(basis.T @ basis, torch.eye(2, dtype=torch.float64), atol=1e-12)


@pytest.mark.parametrize(("gamma", "alpha"), [(1.0, 1.0), (0.3, 1.0), (0.0, 1.0), (1.0, 800.0)])
def test_bilevel_identity_and_reference(gamma: float, alpha: float) -> None:
    ours = bilevel(t(FORGET), t(RETAIN), gamma, alpha).numpy()
    assert ours @ FORGET == pytest.approx(gamma * FORGET @ FORGET, abs=1e-9)
    # By coordinates: along the forget direction, and what is orthogonal to it.
    unit = FORGET / np.sqrt((FORGET**2).sum())
    beside = RETAIN - unit * (unit @ RETAIN)
    theirs = gamma * np.linalg.norm(FORGET) * unit + alpha * beside
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_bilevel_without_a_forget_gradient() -> None:
    still = bilevel(torch.zeros(SIZE, dtype=torch.float64), t(RETAIN), 1.0)
    assert torch.equal(still, t(RETAIN))


def test_primal_dual_reaches_the_constrained_optimum() -> None:
    """min (x - 3)^2 such that x^2 <= 1: x = 1, and the price is 2 by the KKT conditions."""
    x, price = 0.0, 0.0
    for _ in range(4000):
        x -= 0.02 * (2 * (x - 3) + price * 2 * x)
        price = ascend(price, x * x, 1.0, 0.02)
    assert x == pytest.approx(1, abs=1e-3)
    assert price == pytest.approx(2, abs=1e-2)
    assert ascend(0.1, 0.0, 1.0, 0.5) == 0.0


def ready(make_job: MakeJob, **recipe: Any) -> tuple[Job, AxisStepper]:
    """A job in float64 with its stepper begun."""
    job = make_job(**recipe)
    job.model.double()
    job.total_steps = 100
    stepper = AxisStepper(job)
    stepper.begin()
    return job, stepper


def sides(job: Job, stepper: AxisStepper, micros: Any) -> tuple[Tensor, Tensor]:
    """Both gradients of a step, by plain backward passes on whole losses."""
    found = []
    for side in ("forget", "retain"):
        for parameter in job.trained.values():
            parameter.grad = None
        for micro in micros:
            losses = stepper.losses(micro, penalised=False)
            (getattr(losses, side) / len(micros)).backward()
        grads = [
            torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in job.trained.values()
        ]
        found.append(torch.cat([g.reshape(-1) for g in grads]))
        for parameter in job.trained.values():
            parameter.grad = None
    return found[0], found[1]


TRAIN = {"clip": 0.0, "accumulation": 2, "lr": 1e-3, "weight_decay": 0.1}


@pytest.mark.parametrize("parameters", ["full", "lora"])
def test_gu_steps_are_orthogonal_to_remembered_gradients(
    make_job: MakeJob, parameters: str
) -> None:
    """The realised step: momentum, weight decay and Adam's denominator included."""
    train = {**TRAIN, "accumulation": 1}
    job, stepper = ready(
        make_job, forget="npo", combine={"method": "gu"}, parameters=parameters, train=train
    )
    remembered: list[Tensor] = []
    assert job.parts.sample is not None
    for epoch in range(1):
        for micros in job.parts.sample.epoch(job, epoch):
            remembered.append(sides(job, stepper, micros)[1])
            before = torch.cat([p.detach().reshape(-1) for p in job.trained.values()])
            stepper.step(micros)
            after = torch.cat([p.detach().reshape(-1) for p in job.trained.values()])
            delta = after - before
            assert delta.norm() > 0
            for gradient in remembered[-8:]:
                cosine = gradient @ delta / (gradient.norm() * delta.norm())
                assert abs(cosine) < 1e-9


def test_bilevel_writes_the_combined_gradient(make_job: MakeJob) -> None:
    job, stepper = ready(
        make_job, forget="npo", combine={"method": "bilevel", "gamma": 0.7}, train=TRAIN
    )
    combine = job.parts.combine
    assert combine is not None and job.parts.sample is not None
    for micros in job.parts.sample.epoch(job, 0):
        forget, retain = sides(job, stepper, micros)
        for micro in micros:
            combine.backward(job, stepper.losses(micro), 1 / len(micros))
        combine.after_backward(job)
        written = torch.cat([p.grad.reshape(-1) for p in job.trained.values()])  # type: ignore[union-attr]
        assert torch.allclose(written, bilevel(forget, retain, 0.7), rtol=1e-6, atol=1e-12)
        assert float(written @ forget) == pytest.approx(0.7 * float(forget @ forget), rel=1e-9)
        assert float(written @ retain) != pytest.approx(float(forget @ retain), rel=1e-3)
        stepper.move()


@pytest.mark.parametrize(
    ("combine", "forget", "retain"),
    [
        ({"method": "weighted_sum", "forget": 0.1375, "retain": 3.0}, 0.1375, 3.0),
        ({"method": "primal_dual", "start": 7.0, "bound": 0.5}, 1 / 8, 7 / 8),
    ],
    ids=["weighted sum", "primal-dual"],
)
def test_sums_write_the_weighted_gradients(
    make_job: MakeJob, combine: dict[str, Any], forget: float, retain: float
) -> None:
    """Over micro-batches, against plain backward passes of each side, in float64."""
    job, stepper = ready(make_job, forget="npo", combine=combine, train=TRAIN)
    part = job.parts.combine
    assert part is not None and job.parts.sample is not None
    for micros in job.parts.sample.epoch(job, 0):
        goes, stays = sides(job, stepper, micros)
        for micro in micros:
            part.backward(job, stepper.losses(micro), 1 / len(micros))
        written = [torch.zeros_like(p) if p.grad is None else p.grad for p in job.trained.values()]
        found = torch.cat([g.reshape(-1) for g in written])
        assert found.norm() > 0
        # The model's norms work in float32, so the sum of two passes is not the pass of the sum.
        apart = (found - forget * goes - retain * stays).abs().max()
        assert apart < 1e-6 * found.abs().max()
        stepper.move()


def test_a_step_without_retain_rows_is_an_error(make_job: MakeJob) -> None:
    loss = torch.ones((), requires_grad=True)
    for name in ("gu", "bilevel"):
        job, _ = ready(make_job, combine=name)
        assert job.parts.combine is not None
        with pytest.raises(RuntimeError):
            parameter = next(iter(job.trained.values()))
            losses = Losses(loss * parameter.sum(), None, {})
            job.parts.combine.backward(job, losses, 1.0)
            job.parts.combine.after_backward(job)


PRESSURE = {"lr": 6e-3, "epochs": 16, "warmup": 0.0, "check_every": 4, "clip": 1.0}


def test_primal_dual_ends_within_its_budget(make_job: MakeJob) -> None:
    """As shipped, and from a price of nothing; the same steps at that price end far past it."""
    last: dict[str, float] = {}
    cases: dict[str, dict[str, Any]] = {
        "plain": {"method": "weighted_sum", "retain": 0.0},
        "shipped": load_recipe("constrained-entropic").axes["combine"],
        "risen": {"method": "primal_dual", "start": 0.0, "warmup": 0.0},
    }
    for name, combine in cases.items():
        train = {**PRESSURE, "retain_budget": 1000.0 if name == "plain" else 0.05}
        job = make_job(parameters="full", combine=combine, train=train)
        job.folder = job.folder / name
        Trainer(job, AxisStepper(job)).run()
        last[name] = mean_loss(job, job.data.retain)
        allowed = job.outcome["probe_allowed"]
        assert "stopped" not in job.outcome, "the price, not the trainer, held the loss"
        assert job.step == job.total_steps
        assert job.history[-1]["forget"] < job.history[0]["forget"]
        if name != "plain":
            assert last[name] <= allowed
    assert last["plain"] > allowed


def test_the_price_survives_a_checkpoint(make_job: MakeJob) -> None:
    job = make_job(combine={"method": "primal_dual", "bound": 0.5})
    part = job.parts.combine
    assert part is not None
    job.total_steps = 100
    job.step = 90
    part.after_step(job, {"retain": 1.5})
    assert part.state_dict()["price"] == pytest.approx(105.0)
    again = type(part)(part.config)
    again.load_state_dict(part.state_dict())
    assert again.state_dict() == part.state_dict()


def test_the_price_stays_for_passes_over_the_rows_not_for_shares_of_the_run(
    make_job: MakeJob,
) -> None:
    """Two steps a pass; least_steps makes ten passes of the two epochs."""
    combine = {"method": "primal_dual", "bound": 1e-3, "start": 1.0, "warmup": 3.0}
    train = {"epochs": 2, "least_steps": 20, "lr": 1e-6, "check_every": 100}
    job = make_job(combine=combine, train=train)
    job.retain_budget = 1e6
    job.report = lambda now: prices.append(now.losses["lambda"])
    prices: list[float] = []
    job.parts.procedure.run(job)
    assert job.epoch_steps == 2 and job.total_steps == 20
    assert [price == 1.0 for price in prices] == [True] * 6 + [False] * 14


def test_gu_takes_up_what_a_checkpoint_gave_back_wherever_it_trains(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints are read to the CPU; the device of the new gradient stands for a GPU."""
    _, stepper = ready(make_job, combine="gu")
    part = stepper.job.parts.combine
    assert isinstance(part, GU)
    part.load_state_dict({"history": [torch.zeros(3)]})
    new = torch.zeros(3, device="meta")
    seen: list[Tensor] = []
    monkeypatch.setattr(part._apart, "taken", lambda job: (new, new))
    monkeypatch.setattr("guard.distil.combine.gu.candidate", lambda *given: seen.append(given[2]))
    monkeypatch.setattr("guard.distil.combine.gu.write_gradient", lambda job, vector: None)
    part.after_backward(stepper.job)
    assert seen[0].device.type == "meta" and seen[0].shape == (3, 2)


def test_gu_remembers_across_a_checkpoint(make_job: MakeJob) -> None:
    job, stepper = ready(make_job, combine={"method": "gu", "rank": 1}, parameters="lora")
    part = job.parts.combine
    assert part is not None and job.parts.sample is not None
    for micros in job.parts.sample.epoch(job, 0):
        stepper.step(micros)
    again = type(part)(part.config)
    again.load_state_dict(part.state_dict())
    (kept,) = again.state_dict()["history"]
    assert torch.equal(kept, part.state_dict()["history"][0])
