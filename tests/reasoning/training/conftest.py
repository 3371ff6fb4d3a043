"""A tiny Llama with room for the guard model's prompts, and rows that are quickly learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from guard.evaluate.small_llama import small_llama, small_tokenizer
from guard.reasoning.training.asking import Request
from guard.reasoning.training.aspects import ASPECTS
from guard.reasoning.training.data import made
from guard.reasoning.training.settings import DataSettings
from guard.reasoning.training.writer import rules

FEW = DataSettings(synthetic=96, reworded=24, held_out=8, people=40)
CONTEXT = 1024  # tokens


def one_wording(request: Request) -> Sequence[str]:
    """A writer that says the same of the same question: a million weights can learn that."""
    called = [
        request.case.slots["topic"]
        if one == "topic"
        else ASPECTS[one].called[0].format(who="the person in question")
        for one in request.asked
    ]
    return [
        f"The request asks for {' and '.join(called)}. The policy covers it. Say politely that you "
        "cannot help with this."
    ]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an untrained model whose tokenizer knows the words of the prompts."""
    folder = tmp_path_factory.mktemp("tiny-guard-model")
    rows = made("train", FEW, rules(0)).examples
    words = (text for one in rows for text in (one.prompt, one.instruction))
    tokenizer = small_tokenizer(words, 1500)
    tokenizer.model_max_length = CONTEXT
    torch.manual_seed(0)
    small_llama(tokenizer, CONTEXT, width=64, blocks=2).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
