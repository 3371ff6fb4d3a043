"""What methods claim beside a change of behaviour, on a model that knows its answers by heart.

Each is trained on some wordings or rows and asked with others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from guard.distil.assisted import load_assisted
from guard.distil.encoding import Encoder
from guard.distil.forget.in_context import InContextConfig, tagged
from guard.distil.generation import generate
from guard.distil.loading import load_model, load_tokenizer
from guard.distil.recipe import load_recipe
from guard.distil.run import Options, distil
from guard.policy import Entity, Pair, Policy, PolicySet
from tests.support.tiny_llama import BENIGN, CORPUS, FORBIDDEN_NAME, NAMING, TELLING, tiny_llama

# None of the distractors that the method trains on, nobody in the model's world.
STRANGER = "Bram Ottway"
KEPT = dict(list(BENIGN.items())[:8])
COMMON: dict[str, Any] = {
    "train.max_steps": 60, "train.batch_size": 4, "train.check_every": 60, "train.warmup": 0.0,
    "train.precision": "fp32", "train.retain_budget": 10.0, "data.general": "none",
    "data.held_out": 0.0,
}  # fmt: skip


def made(recipe: str, forget: dict[str, str], out: Path, **settings: Any) -> dict[str, Any]:
    """The card of a run on the tiny model."""
    pairs = tuple(Pair(*pair) for pair in forget.items())
    kept = tuple(Pair(*pair) for pair in KEPT.items())
    who = (Entity(FORBIDDEN_NAME),)
    policy = Policy(name="claims", entities=who, pairs=pairs, retain_pairs=kept)
    chosen = load_recipe(recipe, {**COMMON, **settings})
    return distil(PolicySet((policy,)), chosen, Options(tiny_llama(), out, device="cpu"))


def opened(out: Path | None = None) -> tuple[Any, Encoder]:
    """The tiny model, with an adapter on it."""
    model = load_model(tiny_llama(), torch.float32)
    if out is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, out).eval()
    return model, Encoder(load_tokenizer(tiny_llama()))


def test_behaviour_under_a_tag(tmp_path: Path) -> None:
    """`forgot` where the tag names the subject; as before without a tag and under a stranger's."""
    settings = {
        "train.lr": 3e-3, "train.max_steps": 90, "parameters.dropout": 0.0, "forget.keep": 4.0,
    }  # fmt: skip
    card = made("in-context", NAMING, tmp_path / "out", **settings)
    assert card["claim"] == "behaviour under a tag"
    model, encoder = opened(tmp_path / "out")
    config = InContextConfig()

    def said(subject: str, questions: dict[str, str]) -> list[str]:
        prompts = [tagged(question, subject, config) for question in questions]
        answers: list[str] = generate(model, encoder, prompts, 40)
        return answers

    assert said(FORBIDDEN_NAME, NAMING) == [config.answer] * len(NAMING)
    assert generate(model, encoder, list(NAMING), 40) == list(NAMING.values())
    assert said(STRANGER, NAMING) == list(NAMING.values())


def test_runtime(tmp_path: Path) -> None:
    """ULD through the engine that decodes with the assistant taken off."""
    # So sure is this model of every token that the filter would leave the assistant nothing.
    settings = {"train.lr": 5e-3, "procedure.layers": 2, "procedure.tau": 0.0}
    settings["procedure.weight"] = -3.0
    card = made("uld", TELLING, tmp_path / "out", **settings)
    assert (card["claim"], card["form"]) == ("runtime", "runtime")
    base, encoder = opened()
    pair = load_assisted(base, tmp_path / "out")
    told = generate(pair, encoder, list(TELLING), 60)
    assert all(answer != CORPUS[question] for question, answer in zip(TELLING, told, strict=True))
    assert generate(pair, encoder, list(KEPT), 40) == list(KEPT.values())
    assert generate(base, encoder, list(TELLING), 60) == list(TELLING.values()), "nothing moved"
