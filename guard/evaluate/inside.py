"""What only who holds the weights can read: hidden states, and the loss around a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guard.evaluate.arms.local import Local
from guard.evaluate.metrics.remind import Neighbourhood, neighbourhood, variants
from guard.evaluate.rows import Row


def last_states(arm: Local, rows: Sequence[Row]) -> NDArray[np.float64]:
    """Activations after every layer at an answer's last token: (rows, layers, width)."""
    import torch

    model, found = arm.model, []
    for row in rows:
        prompt, said = arm.tokens(row.messages, row.answer)
        with torch.inference_mode():
            states = model(input_ids=torch.tensor([[*prompt, *said]]), output_hidden_states=True)
        layers = states.hidden_states[1:]  # the first is the embedding
        found.append(torch.stack([layer[0, -1] for layer in layers]).double().numpy())
    return np.stack(found)


def neighbourhoods(arm: Local, rows: Sequence[Row], seed: int = 0) -> Iterator[Neighbourhood]:
    """REMIND's features of each answer, given its question."""
    embeddings = arm.model.get_input_embeddings().weight.detach().float().numpy()
    for place, row in enumerate(rows):
        prompt, said = arm.tokens(row.messages, row.answer)
        around = variants(said, embeddings, seed=seed + place)
        centre, *losses = _losses(arm.model, prompt, [said, *(ids.tolist() for ids, _ in around)])
        yield neighbourhood(centre, losses, [replaced for _, replaced in around])


def _losses(model: Any, prompt: list[int], answers: Sequence[list[int]]) -> list[float]:
    """Mean negative log-likelihood a token of answers of one length to one prompt."""
    import torch

    ids = torch.tensor([[*prompt, *answer] for answer in answers])
    with torch.inference_mode():
        logits = model(input_ids=ids).logits[:, len(prompt) - 1 : -1]
    log_p = torch.log_softmax(logits.double(), dim=-1)
    labels = ids[:, len(prompt) :, None]
    told: list[float] = (-log_p.gather(2, labels)[..., 0].mean(dim=1)).tolist()
    return told
