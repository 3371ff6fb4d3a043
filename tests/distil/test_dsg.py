"""DSG: features of a sparse autoencoder, clamped at run time."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from guard.distil.blocks import blocks
from guard.distil.errors import BudgetSpent, DistilError
from guard.distil.generation import generate
from guard.distil.guardrail import Guarded, Guardrail, load_guarded
from guard.distil.probe import Probe, mean_loss, probe_rows
from guard.distil.procedures.dsg import chosen_features
from guard.distil.sae import SAE
from tests.distil.conftest import MakeJob, scores
from tests.distil.test_parameters import untouched


def test_features_are_chosen_by_both_percentiles() -> None:
    forget = torch.tensor([5.0, 4.0, 3.0, 0.0, 1.0])
    retain = torch.tensor([5.0, 0.0, 0.1, 0.0, 0.001])
    assert chosen_features(forget, retain, 3, 5, 40) == (1, 2, 4)
    assert chosen_features(forget, retain, 1, 5, 40) == (1,)
    assert chosen_features(torch.zeros(3), torch.ones(3), 2, 5, 95) == ()


def rail(tau: float, clamp: float = 3.0) -> Guardrail:
    """One latent a dimension of the state, both ways."""
    eye = torch.eye(32)
    both = torch.cat([eye, -eye], 1)
    sae = SAE(0, both, torch.zeros(64), both.T.contiguous(), torch.zeros(32))
    return Guardrail(sae, layer=1, features=(0, 5), tau=tau, clamp=clamp)


def test_guardrail_by_hand(make_job: MakeJob, random_llama: Path) -> None:
    """States where chosen features fire become -clamp, all else is as it was."""
    job, base = make_job(), untouched(random_llama)
    batch = job.batch(job.data.forget[:2])
    seen: list[Tensor] = []
    handle = blocks(base)[1].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    scores(base, job)
    scores(Guarded(base, rail(0.0)), job)
    handle.remove()
    before, after = seen
    mask = batch.attention_mask.bool().clone()
    mask[:, 0] = False
    expected = before.clone()
    for feature in (0, 5):
        hit = (before[..., feature] > 0) & mask
        expected[..., feature] = torch.where(hit, torch.tensor(-3.0), before[..., feature])
    assert torch.allclose(after, expected, atol=1e-5)
    assert (expected != before).any()


def test_guardrail_lets_quiet_rows_pass(make_job: MakeJob, random_llama: Path) -> None:
    job, base = make_job(), untouched(random_llama)
    assert torch.allclose(scores(Guarded(base, rail(1.0)), job), scores(base, job), atol=1e-5)


def test_guarded_decoding_is_one_pass_after_another(make_job: MakeJob, random_llama: Path) -> None:
    """With a cache the counts go on from the prompt; a row is treated from where it is flagged."""
    job, base = make_job(), untouched(random_llama)
    guarded = Guarded(base, rail(0.0))
    prompts = ["Who?", "How many bridges has Orlimar?"]
    found = generate(guarded, job.encoder, prompts, 4)
    for prompt, text in zip(prompts, found, strict=True):
        ids = job.encoder.prompt_ids(prompt)
        start = len(ids)
        for _ in range(4):
            row = torch.tensor([ids])
            out = guarded(input_ids=row, attention_mask=torch.ones_like(row))
            ids.append(int(out.logits[0, -1].argmax()))
            if ids[-1] in job.encoder.end_ids:
                break
        assert text == job.encoder.tokenizer.decode(ids[start:], skip_special_tokens=True).strip()


def test_dsg_end_to_end(bare: MakeJob, random_llama: Path, tmp_path: Path) -> None:
    procedure = {"method": "dsg", "latents": 64, "k": 4, "steps": 30, "ratio_percentile": 80.0}
    job = bare({**procedure, "tau_percentile": 0.0, "features": 4})
    job.parts.procedure.run(job)
    assert 0 < len(job.outcome["features"]) <= 4
    job.parts.procedure.save(job, tmp_path)
    base = untouched(random_llama)
    loaded = load_guarded(base, tmp_path)
    assert torch.allclose(scores(loaded, job), scores(job.model, job), atol=1e-5)
    assert not torch.allclose(scores(loaded, job), scores(base, job), atol=1e-3)
    with pytest.raises(DistilError, match="no guardrail"):
        load_guarded(base, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("within", "features"),
    [([1], 4), ([0, 1], 2), ([0, 0, 1], 1), ([0, 0, 0], None)],
    ids=["all", "half", "one", "none"],
)
def test_dsg_takes_as_many_features_as_the_budget_bears(
    bare: MakeJob, monkeypatch: pytest.MonkeyPatch, within: list[int], features: int | None
) -> None:
    procedure = {"method": "dsg", "latents": 64, "k": 4, "steps": 10, "ratio_percentile": 50.0}
    job = bare({**procedure, "tau_percentile": 0.0, "features": 4})
    looks = iter(within)
    monkeypatch.setattr(Probe, "allowed", property(lambda _: 1e6 * next(looks, 0)))
    if features is None:
        with pytest.raises(BudgetSpent, match="tau_percentile"):
            job.parts.procedure.run(job)
        return
    job.parts.procedure.run(job)
    assert len(job.outcome["features"]) == features
    assert ("stopped" in job.outcome) == (features < 4)
    assert job.outcome["probe_kept"] == pytest.approx(mean_loss(job, probe_rows(job)))
