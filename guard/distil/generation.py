"""Greedy answers of a model, several prompts at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from guard.distil.encoding import Encoder
from guard.distil.sampling import chunks

_AT_ONCE = 64


@torch.no_grad()
def generate(
    model: Any,
    encoder: Encoder,
    prompts: Sequence[str],
    max_new_tokens: int,
    *,
    sample: bool = False,
    system: str | None = None,
) -> list[str]:
    """Answers without special tokens, in order; `sample` draws at temperature 1."""
    was_training = model.training
    model.eval()
    answers: list[str] = []
    for piece in chunks(tuple(prompts), _AT_ONCE):
        ids = [encoder.prompt_ids(prompt, system) for prompt in piece]
        width = max(map(len, ids))
        # Padded on the left, so that every answer begins at the same place.
        padded = [[encoder.pad_id] * (width - len(row)) + row for row in ids]
        mask = [[0] * (width - len(row)) + [1] * len(row) for row in ids]
        device = next(model.parameters()).device
        out = model.generate(
            input_ids=torch.tensor(padded, device=device),
            attention_mask=torch.tensor(mask, device=device),
            max_new_tokens=max_new_tokens,
            do_sample=sample,
            temperature=1.0 if sample else None,
            top_p=None,
            top_k=None,
            eos_token_id=sorted(encoder.end_ids) or None,
            pad_token_id=encoder.pad_id,
        )
        for row in out[:, width:]:
            answers.append(encoder.tokenizer.decode(row, skip_special_tokens=True).strip())
    model.train(was_training)
    return answers
