"""A Llama of random weights in a folder: its hidden states tell words apart, and nothing else."""

from __future__ import annotations

from pathlib import Path

from guard.evaluate.small_llama import small_llama
from tests.support.tiny_llama import tiny_tokenizer

WIDTH = 64


def random_llama(folder: Path, seed: int = 0) -> Path:
    """The folder, with model and tokenizer in it."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tokenizer = tiny_tokenizer()
        small_llama(tokenizer, width=WIDTH, blocks=3).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder
