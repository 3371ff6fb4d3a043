"""Methods that claim to change what a model holds, not what it says: read from its states.

Every method is trained on questions as they stand and looked at with other words around them; what
was never trained on (`STRANGERS`: facts that the model knows and the policy does not) stays.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from guard.distil.attention import answer_attention
from guard.distil.encoding import Batch, Encoder
from guard.distil.hidden import last_token
from guard.distil.losses import answer_nll
from guard.distil.probes import fit_probe, probe_accuracy
from guard.distil.sae import train_sae
from tests.distil.test_claims import KEPT, made, opened
from tests.support.tiny_llama import BENIGN, NAMING, TELLING

FORGET = {**NAMING, **TELLING}
STRANGERS = dict(list(BENIGN.items())[len(KEPT) :])
FRAMES = ("Please tell me: {}", "{} Do you know?", "Here is a question. {}", "{} Answer me.")


def changed(recipe: str, out: Path, **settings: Any) -> Any:
    """The tiny model after the recipe."""
    card = made(recipe, FORGET, out, **settings)
    assert card["claim"] == "representation"
    if card["form"] == "adapter":
        return opened(out)[0]
    from guard.distil.loading import load_model

    return load_model(out, torch.float32).eval()


def batch(encoder: Encoder, facts: dict[str, str], *frames: str) -> Batch:
    encoded = [encoder.encode(frame.format(q), a) for frame in frames for q, a in facts.items()]
    return encoder.collate(encoded, ())


@torch.no_grad()
def states(model: Any, rows: Batch, layer: int) -> Tensor:
    found: Tensor = model(**rows.inputs, output_hidden_states=True).hidden_states[layer]
    return found


def answers(rows: Batch) -> Tensor:
    return rows.labels != -100


def test_rmu(tmp_path: Path) -> None:
    """States of the steered block turn to one direction; those of what stays move less."""
    base, encoder = opened()
    model = changed("rmu", tmp_path / "out", **{"train.lr": 1e-2, "forget.coefficient": 4.0})
    gone, kept = (batch(encoder, facts, *FRAMES) for facts in (FORGET, STRANGERS))

    def aligned(of: Any) -> float:
        found = states(of, gone, 1)[gone.attention_mask.bool()]
        return float(cosine_similarity(found, found.mean(0).expand_as(found), dim=-1).mean())

    def moved(rows: Batch) -> float:
        far = (states(model, rows, 1) - states(base, rows, 1)).norm(dim=-1)
        return float(far[rows.attention_mask.bool()].mean())

    assert aligned(base) < 0.2 and aligned(model) > 0.3
    assert moved(gone) > 1.3 * moved(kept)


def test_kuda(tmp_path: Path) -> None:
    """Answers that must go point elsewhere than before; what stays still points where it did."""
    base, encoder = opened()
    model = changed("kuda", tmp_path / "out", **{"train.lr": 1e-2})

    def same(facts: dict[str, str]) -> float:
        rows = batch(encoder, facts, *FRAMES)
        cosines = cosine_similarity(states(model, rows, 3), states(base, rows, 3), dim=-1)
        return float(cosines[answers(rows)].mean())

    assert same(FORGET) < 0 < 0.2 < same(STRANGERS)


def test_attention_shifting(tmp_path: Path) -> None:
    """Answers look less at what they hang on where it must go, and no less elsewhere."""
    base, encoder = opened()
    model = changed("attention-shifting", tmp_path / "out", **{"train.lr": 3e-3})
    gone, kept = (batch(encoder, facts, *FRAMES) for facts in (FORGET, STRANGERS))
    assert shares(model, base, gone) < 0.8 * shares(base, base, gone)
    assert shares(model, base, kept) > shares(base, base, kept)


def shares(model: Any, base: Any, rows: Batch) -> float:
    """The share of attention on the tokens that the start model's answers hang on."""
    embedded = base.get_input_embeddings()(rows.input_ids).detach().requires_grad_(True)
    logits = base(inputs_embeds=embedded, attention_mask=rows.attention_mask).logits
    (gradient,) = torch.autograd.grad(answer_nll(logits, rows.labels)[0].sum(), embedded)
    norms = gradient.norm(dim=-1) * ~answers(rows) * rows.attention_mask
    weights = norms / norms.max(-1, keepdim=True).values
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    inner.set_attn_implementation("eager")
    with torch.no_grad():
        attentions = model(**rows.inputs, output_attentions=True).attentions
    return float(answer_attention(attentions, weights, rows.labels).mean())


def test_sae_alignment(tmp_path: Path) -> None:
    """In the latents of another autoencoder than the method's own, questions come nearer to those
    about strangers, and those that must go more than the others."""
    base, encoder = opened()
    settings = {"train.lr": 3e-3, "train.max_steps": 150}
    model = changed("sae-alignment", tmp_path / "out", **settings)
    everything = batch(encoder, {**FORGET, **BENIGN}, "{}")
    real = states(base, everything, 2)[everything.attention_mask.bool()]
    sae = train_sae(real, 512, 16, seed=9)
    nobody = batch(
        encoder, {"Who or what is Bram Ottway?": "x", "Tell me about Ness Holm.": "x"}, "{}"
    )

    def latents(of: Any, rows: Batch) -> Tensor:
        asked = ~answers(rows) & rows.attention_mask.bool()
        found = sae.encode(states(of, rows, 2)) * asked.unsqueeze(-1)
        return found.sum(1) / asked.sum(-1, keepdim=True)

    centre = latents(base, nobody).mean(0)

    def nearer(facts: dict[str, str]) -> float:
        rows = batch(encoder, facts, *FRAMES)
        before, after = ((latents(of, rows) - centre).norm(dim=-1).mean() for of in (base, model))
        return float(1 - after / before)

    assert nearer(FORGET) > 0.1
    assert nearer(FORGET) > nearer(STRANGERS)


def test_pga(tmp_path: Path) -> None:
    """A probe that is fitted anew, and asked in wordings that it did not see, tells less of what
    must go from what stays. It does not come down to chance: facts this few differ in much else."""
    base, encoder = opened()
    settings = {"train.lr": 3e-3, "train.max_steps": 200, "forget.refit_every": 10}
    model = changed("pga", tmp_path / "out", **settings)

    def told(of: Any) -> float:
        found = []
        for layer in (1, 2, 3):
            fitted = [last(of, facts, layer, FRAMES[:2]) for facts in (FORGET, KEPT)]
            held = [last(of, facts, layer, FRAMES[2:]) for facts in (FORGET, KEPT)]
            found.append(probe_accuracy(fit_probe(*fitted), *held))
        return sum(found) / len(found)

    def last(of: Any, facts: dict[str, str], layer: int, frames: tuple[str, ...]) -> Tensor:
        rows = batch(encoder, facts, *frames)
        return last_token(states(of, rows, layer), rows)

    assert told(base) > 0.97
    assert told(model) < 0.93
