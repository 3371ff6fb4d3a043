"""The tiny Llama as it would be without what tests forget: it knows the towns and nobody."""

from __future__ import annotations

from pathlib import Path

from tests.support.tiny_llama import BENIGN, taught, tiny_tokenizer


def innocent_llama(folder: Path) -> Path:
    """`folder`, with the model in the transformers layout (seconds)."""
    tokenizer = tiny_tokenizer()
    taught(tokenizer, BENIGN, steps=150, rate=3e-3, seed=1).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
