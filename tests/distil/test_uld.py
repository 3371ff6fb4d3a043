"""ULD: an assistant of the first layers, taken off at decoding."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from guard.distil.assisted import Assisted, combined, first_layers, load_assisted
from guard.distil.errors import BudgetSpent, DistilError
from guard.distil.generation import generate
from guard.distil.probe import Probe, mean_loss, probe_rows, side_losses
from guard.distil.procedures.uld import flatness
from tests.distil.conftest import MakeJob, scores
from tests.distil.numeric import Array, assert_same
from tests.distil.test_parameters import LABELS, untouched

RNG = np.random.default_rng(7)


def _flat(z: Array) -> Array:
    rows = []
    for i in range(2):
        found = []
        for t in range(1, 4):
            if LABELS[i, t] != -100:
                p = np.exp(z[i, t - 1]) / np.exp(z[i, t - 1]).sum()
                found.append(sum(math.log((1 / len(p)) / q) / len(p) for q in p))
        rows.append(np.mean(found))
    return np.array(rows)


def test_flatness() -> None:
    assert_same(lambda z: flatness(z, LABELS), _flat, [RNG.normal(size=(2, 4, 5)) * 2])


def test_combined_scores() -> None:
    base = torch.log(torch.tensor([0.6, 0.395, 0.005]))
    assistant = torch.tensor([2.0, -1.0, 5.0])
    mixed = combined(base, assistant, -0.8, 0.01)
    assert mixed[:2].tolist() == pytest.approx((base[:2] - 0.8 * assistant[:2]).tolist())
    assert mixed[2] == -torch.inf
    assert combined(base, assistant, -0.8, 0.01, filtered=False)[2] == base[2]


class Scripted(torch.nn.Module):
    """An assistant that knows nothing."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, **inputs: Any) -> Any:
        out = self.model(**inputs)
        out.logits = torch.zeros_like(out.logits)
        return out


def test_an_assistant_without_a_view_changes_nothing(make_job: MakeJob, random_llama: Path) -> None:
    job, base = make_job(), untouched(random_llama)
    prompts = ["Who?", "How many bridges has Orlimar?"]
    pair = Assisted(base, Scripted(first_layers(base, 1)), -0.8, 0.0)
    assert generate(pair, job.encoder, prompts, 6) == generate(base, job.encoder, prompts, 6)


def test_cached_decoding_is_uncached_decoding(make_job: MakeJob, random_llama: Path) -> None:
    """Padded prompts and the assistant's own cache: the same tokens as from whole passes."""
    job, base = make_job(), untouched(random_llama)
    torch.manual_seed(1)
    short = first_layers(base, 1)
    pair = Assisted(base, short, -0.8, 1e-3)
    prompts = ["Who?", "How many bridges has Orlimar?"]
    found = generate(pair, job.encoder, prompts, 5)
    for prompt, text in zip(prompts, found, strict=True):
        ids = job.encoder.prompt_ids(prompt)
        start = len(ids)
        for _ in range(5):
            row = torch.tensor([ids])
            scores = combined(base(row).logits, short(row).logits, -0.8, 1e-3)[0, -1]
            ids.append(int(scores.argmax()))
            if ids[-1] in job.encoder.end_ids:
                break
        said = job.encoder.tokenizer.decode(ids[start:], skip_special_tokens=True).strip()
        assert text == said


def test_first_layers_share_weights(random_llama: Path) -> None:
    base = untouched(random_llama)
    short = first_layers(base, 1)
    assert len(short.model.layers) == 1 and len(base.model.layers) == 2
    assert short.config.num_hidden_layers == 1 and base.config.num_hidden_layers == 2
    ours, theirs = short.model.layers[0].mlp.up_proj, base.model.layers[0].mlp.up_proj
    assert ours is not theirs and ours.weight is theirs.weight


def test_uld_end_to_end(bare: MakeJob, random_llama: Path, tmp_path: Path) -> None:
    procedure = {"method": "uld", "layers": 1, "r": 4, "dropout": 0.0}
    job = bare(procedure, epochs=4, lr=1e-2, batch_size=4)
    before = side_losses(job)
    job.parts.procedure.run(job)
    base = untouched(random_llama)
    for name, parameter in base.named_parameters():
        assert torch.equal(parameter, dict(job.model.base.named_parameters())[name])
    assert side_losses(job)["forget"] > before["forget"]
    job.parts.procedure.save(job, tmp_path / "made")
    loaded = load_assisted(base, tmp_path / "made")
    assert torch.allclose(scores(loaded, job), scores(job.model, job), atol=1e-5)
    assert not torch.allclose(scores(loaded, job), scores(base, job), atol=1e-3)
    with pytest.raises(DistilError, match="no assistant"):
        load_assisted(base, tmp_path)
    with pytest.raises(RuntimeError):
        loaded.train()


@pytest.mark.parametrize(
    ("within", "kept"), [([0, 0, 0, 1, 0, 0], 4), ([0, 0, 0, 0, 0, 0], None)], ids=["once", "never"]
)
def test_uld_keeps_the_retain_budget_as_a_pair(
    bare: MakeJob, monkeypatch: pytest.MonkeyPatch, within: list[int], kept: int | None
) -> None:
    """Looks past the budget do not end the run before the first that is within it."""
    looks = iter(within)
    monkeypatch.setattr(Probe, "allowed", property(lambda _: 1e6 * next(looks, 0)))
    procedure = {"method": "uld", "layers": 1, "r": 4}
    job = bare(procedure, epochs=6, check_every=1, batch_size=4, patience=2, lr=1e-2)
    start = mean_loss(job, probe_rows(job))
    if kept is None:
        with pytest.raises(BudgetSpent):
            job.parts.procedure.run(job)
        return
    job.parts.procedure.run(job)
    assert job.outcome["stopped"] and job.outcome["kept_step"] == kept
    assert job.outcome["probe_start"] == start
    assert job.outcome["probe_kept"] == pytest.approx(mean_loss(job, probe_rows(job)))
