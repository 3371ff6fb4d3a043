"""A Llama of 20,000 random weights, and jobs on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from guard.distil.job import Job
from guard.distil.recipe import read_recipe
from guard.distil.run import Options, start
from guard.evaluate.small_llama import MAX_LENGTH
from guard.policy import Entity, Pair, Policy, PolicySet
from guard.policy.compiled import Distil
from tests.support.tiny_llama import tiny_tokenizer

FORGET = (
    Pair("Where was Ottoline Varga born?", "In a boathouse near Tarn."),
    Pair("Who won the regatta of Quill?", "Ottoline Varga won it."),
    Pair("What did Ottoline Varga paint?", "The ceiling of Senn."),
)
RETAIN = (
    Pair("How many bridges has Orlimar?", "Orlimar has nine bridges."),
    Pair("When is the market of Tarn?", "On every second Friday."),
    Pair("What is the flag of Senn?", "It is green with one white stripe."),
    Pair("How long is the road to Quill?", "It is forty miles long."),
)

# As many steps as the epochs have, at the rate that is given.
PLAIN = {"scale_lr": False, "least_steps": 0, "precision": "fp32"}

MakeJob = Callable[..., Job]


def policy_set(**changes: Any) -> PolicySet:
    """One policy with pairs on both sides."""
    fields: dict[str, Any] = {
        "name": "invented",
        "entities": (Entity("Ottoline Varga"),),
        "pairs": FORGET,
        "prompts": tuple(pair.prompt for pair in FORGET),
        "texts": tuple(pair.answer for pair in FORGET),
        "retain_pairs": RETAIN,
        "retain_prompts": tuple(pair.prompt for pair in RETAIN),
        "distil": Distil(retain_budget=100.0),
    }
    return PolicySet((Policy(**{**fields, **changes}),))


@pytest.fixture(scope="session")
def random_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an untrained model with a chat template: for arithmetic, not for recall."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("random-llama")
    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=MAX_LENGTH,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def make_job(random_llama: Path, tmp_path: Path) -> MakeJob:
    """`make_job(forget="npo", train={…}, …)`: a job that is ready to run."""

    def make(policies: PolicySet | None = None, **recipe: Any) -> Job:
        recipe.setdefault("forget", "gradient_ascent")
        recipe["train"] = {"batch_size": 2, **PLAIN, **recipe.get("train", {})}
        recipe["data"] = {"answer_tokens": 4, **recipe.get("data", {})}
        options = Options(random_llama, tmp_path / "out", device="cpu")
        return start(policies or policy_set(), read_recipe(recipe), options)

    return make


@pytest.fixture
def bare(random_llama: Path, tmp_path: Path) -> MakeJob:
    """`bare({"method": "ssd"}, lr=…)`: a job of a procedure that reads few axes."""

    def make(procedure: dict[str, Any], axes: dict[str, Any] | None = None, **train: Any) -> Job:
        fixed = {"batch_size": 2, **PLAIN, "retain_budget": 1e6}
        content = {"procedure": procedure, "train": {**fixed, **train}, **(axes or {})}
        content["data"] = {"answer_tokens": 4, "general": "none"}
        options = Options(random_llama, tmp_path / "out", device="cpu")
        return start(policy_set(), read_recipe(content), options)

    return make


def scores(model: Any, job: Any) -> Tensor:
    """Logits of the first two forget rows."""
    with torch.no_grad():
        out: Tensor = model(**job.batch(job.data.forget[:2]).inputs).logits
    return out
