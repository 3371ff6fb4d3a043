"""What moves, what stays, and that what is written to disk is what was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from guard.distil.blocks import batches, blocks, loss_on, skipped
from guard.distil.errors import DistilError
from guard.distil.forget.bounded_ascent import bounded
from guard.distil.forget.inverted_hinge import inverted_hinge
from guard.distil.job import Job
from guard.distil.locating import ablated, mlp, top, traced
from guard.distil.parameters.gs_lora import group_lasso, groups
from guard.distil.parameters.kuda_layers import free_directions
from guard.distil.parameters.reglu import start_directions, strongest
from guard.distil.parameters.sparse import largest
from guard.distil.stepper import AxisStepper
from tests.distil.conftest import MakeJob
from tests.distil.numeric import Array, assert_same

RNG = np.random.default_rng(5)
TRAIN = {"lr": 1e-2, "weight_decay": 0.1, "warmup": 0.0, "schedule": "constant"}
SMALL: dict[str, Any] = {"method": "reglu", "r": 4, "alpha": 8, "k": 3, "rows": 5}


def trained(make_job: MakeJob, steps: int = 1, **recipe: Any) -> Job:
    """A job after some optimiser steps."""
    job = make_job(train=TRAIN, **recipe)
    job.total_steps = steps
    stepper = AxisStepper(job)
    stepper.begin()
    assert job.parts.sample is not None
    for micros in list(job.parts.sample.epoch(job, 0))[:steps]:
        stepper.step(micros)
    return job


def logits(model: Any, job: Job) -> Tensor:
    """On a fixed batch, in evaluation mode."""
    model.eval()
    with torch.no_grad():
        out: Tensor = model(**job.batch(job.data.retain[:2]).inputs).logits
    return out


def untouched(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder).eval()


def test_reglu_from_start_to_adapter(make_job: MakeJob, random_llama: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    base = untouched(random_llama)
    job = make_job(parameters=SMALL, train=TRAIN)
    start = logits(base, job)
    assert torch.allclose(logits(job.model, job), start, atol=1e-5), "the start is unchanged"
    with job.model.disable_adapter():
        assert not torch.allclose(logits(job.model, job), start, atol=1e-3), "its weights are not"
    stepper = AxisStepper(job)
    job.total_steps = 9
    stepper.begin()
    assert job.parts.sample is not None
    for micros in job.parts.sample.epoch(job, 0):
        assert "regulariser" in stepper.step(micros)
    after = logits(job.model, job)
    assert not torch.allclose(after, start, atol=1e-3)
    assert torch.allclose(job.reference_logits(job.batch(job.data.retain[:2])), start, atol=1e-5)
    assert torch.allclose(logits(job.model, job), after), "the reference left no trace"
    job.parts.parameters.save(job, tmp_path / "adapter")
    loaded = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    assert loaded.peft_config["default"].r == 8
    assert torch.allclose(logits(loaded, job), after, atol=1e-4), "against the untouched base"


def test_reglu_needs_room(make_job: MakeJob) -> None:
    with pytest.raises(DistilError, match="outputs, fewer than"):
        make_job(parameters={**SMALL, "r": 40})


@pytest.mark.parametrize(("rows", "out"), [(3, 20), (12, 5), (2, 6)])
def test_start_directions(rows: int, out: int) -> None:
    """In the rows' span or out of it, the same subspace as from whole covariances."""
    forget, retain, beta, r = RNG.normal(size=(rows, out)), RNG.normal(size=(rows, out)), 0.7, 2
    ours = start_directions(torch.tensor(forget), torch.tensor(retain), beta, r).numpy()
    matrix = (1 - beta) * forget.T @ forget / rows - beta * retain.T @ retain / rows
    theirs = np.linalg.eigh(matrix)[1][:, ::-1][:, :r]
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-6)
    q = strongest(torch.tensor(retain), 2).numpy()
    expected = np.linalg.eigh(retain.T @ retain)[1][:, ::-1][:, :2]
    np.testing.assert_allclose(q @ q.T, expected @ expected.T, atol=1e-6)


LABELS = torch.tensor([[-100, -100, 3, 1], [-100, 0, -100, -100]])


def _hinge(z: Array) -> Array:
    rows = []
    for i in range(2):
        found = []
        for t in range(1, 4):
            y = int(LABELS[i, t])
            if y != -100:
                p = np.exp(z[i, t - 1]) / np.exp(z[i, t - 1]).sum()
                found.append(max(0.0, 1 + p[y] - max(np.delete(p, y))))
        rows.append(np.mean(found))
    return np.array(rows)


def test_losses_of_these_methods() -> None:
    assert_same(lambda z: inverted_hinge(z, LABELS), _hinge, [RNG.normal(size=(2, 4, 5)) * 2])
    nll = np.array([0.5, 2.0, 5.0])
    assert_same(lambda n: bounded(n, 3.0), lambda n: np.maximum(0.0, 3.0 - n), [nll])
    parts = [RNG.normal(size=(2, 3)), RNG.normal(size=4), RNG.normal(size=(1, 2))]
    assert_same(
        lambda a, b, c: group_lasso([[a, b], [c]])[None],
        lambda a, b, c: np.array([np.sqrt((a**2).sum() + (b**2).sum()) + np.sqrt((c**2).sum())]),
        parts,
    )


def test_group_lasso_at_zero() -> None:
    zero = torch.zeros(3, requires_grad=True)
    group_lasso([[zero]]).backward()
    assert zero.grad is not None and not zero.grad.any()


def test_gs_lora_groups_and_prunes(make_job: MakeJob, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    job = make_job(parameters={"method": "gs_lora", "r": 2, "prune": 0.5}, train=TRAIN)
    found = groups(job)
    assert sorted(found) == [0, 1], "a group a block, and nothing outside of them"  # type: ignore[type-var]
    with torch.no_grad():
        for tensor in found[1]:
            tensor.mul_(0.01)
    job.parts.parameters.save(job, tmp_path)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    assert all(not t.any() for name, t in saved.items() if ".layers.1." in name)
    assert any(t.any() for name, t in saved.items() if ".layers.0." in name)
    assert all(".mlp." in name for name in saved)


def moved(job: Job, folder: Path) -> dict[str, Tensor]:
    """What changed against the model on disk, by name."""
    start = dict(untouched(folder).named_parameters())
    deltas = {n: p.detach() - start[n].detach() for n, p in job.model.named_parameters()}
    return {name: delta for name, delta in deltas.items() if delta.any()}


def test_fit_layers_train_only_the_top(make_job: MakeJob, random_llama: Path) -> None:
    job = trained(make_job, parameters={"method": "fit_layers", "layers": 1})
    base = untouched(random_llama)
    rows = [job.batch(job.data.forget)]
    changes = ablated(base, rows)
    with skipped(blocks(base)[1]):
        alone = loss_on(base, rows)
    assert changes[1] == pytest.approx(abs(alone - loss_on(base, rows)))
    (chosen,) = job.outcome["layers"]
    assert changes[chosen] == max(changes)
    names = moved(job, random_llama)
    assert names and all(f"layers.{chosen}." in name for name in names)
    assert not any("norm" in name for name in names)


def test_skipping_a_block_is_zeroing_its_outputs(make_job: MakeJob, random_llama: Path) -> None:
    job, model = make_job(), untouched(random_llama)
    with skipped(blocks(model)[0]):
        without = logits(model, job)
    block: Any = blocks(model)[0]
    with torch.no_grad():
        block.self_attn.o_proj.weight.zero_()
        block.mlp.down_proj.weight.zero_()
    assert torch.allclose(logits(model, job), without, atol=1e-6)


def test_kuda_layers_leave_retained_inputs_alone(make_job: MakeJob, random_llama: Path) -> None:
    """With a hard threshold the trained weights answer retained inputs as they did."""
    parameters = {"method": "kuda_layers", "layers": 1, "soft": False, "threshold": 1e-9, "rows": 1}
    job = trained(make_job, steps=2, parameters=parameters)
    (chosen,) = job.outcome["layers"]
    names = moved(job, random_llama)
    base = untouched(random_llama)
    taken: list[Tensor] = []
    block: Any = blocks(base)[chosen]
    block.mlp.gate_proj.register_forward_hook(lambda _, given, __: taken.append(given[0]))
    batch = job.batch(job.data.retain[:1])
    loss_on(base, [batch])
    inputs = taken[0][batch.attention_mask.bool()]
    name = f"model.layers.{chosen}.mlp.gate_proj.weight"
    assert len(inputs) < inputs.shape[1], "there is a null space"
    assert (inputs @ names[name].T).abs().max() < 1e-3 * names[name].abs().max()
    assert all(f"layers.{chosen}.mlp" in found for found in names)


@pytest.mark.parametrize("soft", [True, False])
def test_null_space_projection(soft: bool) -> None:
    inputs = RNG.normal(size=(2, 6))  # two retained directions of six
    free = free_directions(torch.tensor(inputs.T @ inputs), 1e-6, soft=soft).numpy()
    step = RNG.normal(size=(3, 6))
    answered = np.abs(inputs @ (step @ free).T).max()
    assert answered < (1e-4 if soft else 1e-9) < np.abs(inputs @ step.T).max()
    outside = np.linalg.svd(inputs)[2][2:]
    np.testing.assert_allclose(free @ outside.T, outside.T, atol=1e-6)


def test_tracing_finds_the_only_block_that_answers(make_job: MakeJob, random_llama: Path) -> None:
    """Where the second block's MLP gives nothing, mending it mends nothing."""
    job, model = make_job(), untouched(random_llama)
    silent: Any = mlp(blocks(model)[1])
    with torch.no_grad():
        silent.down_proj.weight.zero_()
    rows = list(batches(job, job.data.forget, 4))
    first, second = traced(model, rows, 3.0, torch.Generator().manual_seed(0))
    assert second == pytest.approx(0, abs=1e-5)
    assert abs(first) > 1e-4
    assert top([0.1, 0.5, 0.5, 0.2], 2) == (1, 2)


@pytest.mark.parametrize("unit", ["weight", "matrix"])
def test_sparse_moves_its_share(make_job: MakeJob, random_llama: Path, unit: str) -> None:
    parameters = {"method": "sparse", "share": 0.1, "unit": unit}
    job = trained(make_job, steps=2, parameters=parameters)
    names = moved(job, random_llama)
    count = sum(int((delta != 0).sum()) for delta in names.values())
    assert 0 < count <= job.outcome["moving_weights"]
    total = sum(p.numel() for p in job.model.parameters())
    if unit == "weight":
        assert job.outcome["moving_weights"] == pytest.approx(0.1 * total, abs=2)
    else:
        matrices = sum(p.dim() > 1 for p in job.model.parameters())
        assert len(names) == max(1, int(0.1 * matrices))


def test_largest() -> None:
    masks = largest({"a": torch.tensor([1.0, 5.0, 0.0]), "b": torch.tensor([4.0, 2.0])}, 0.4)
    assert masks["a"].tolist() == [False, True, False]
    assert masks["b"].tolist() == [True, False]
    nothing = largest({"a": torch.zeros(4)}, 1.0)
    assert not nothing["a"].any()
