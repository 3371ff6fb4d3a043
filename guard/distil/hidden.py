"""Hidden states, and which of their positions count."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from guard.distil.encoding import IGNORED, Batch
from guard.distil.errors import DistilError
from guard.distil.job import Job
from guard.distil.losses import widened

Tokens = Literal["answer", "all"]


def layers(model: Any) -> int:
    """How many blocks the model has."""
    return int(model.config.get_text_config().num_hidden_layers)


def layer_of(job: Job, layer: int | None, share: float) -> int:
    """The block to read: as given (1 is the first), or that share of the depth.

    Raises `DistilError` when the model has no such block.
    """
    count = layers(job.model)
    if layer is None:
        return min(count, max(1, round(share * count)))
    if not 1 <= layer <= count:
        raise DistilError(f"layer {layer}: the model has layers 1 to {count}")
    return layer


def hidden_states(job: Job, batch: Batch, layer: int) -> Tensor:
    """What block `layer` gives, [rows, width, size], with its graph."""
    return widened(job.outputs(batch, output_hidden_states=True).hidden_states[layer])


def reference_states(job: Job, batch: Batch, layer: int) -> Tensor:
    """The same of the start model."""
    return widened(job.reference_outputs(batch, output_hidden_states=True).hidden_states[layer])


def token_mask(batch: Batch, tokens: Tokens) -> Tensor:
    """[rows, width], True on the tokens that count."""
    return batch.labels != IGNORED if tokens == "answer" else batch.attention_mask.bool()


def last_token(states: Tensor, batch: Batch) -> Tensor:
    """The states of each row's last real token, [rows, size]."""
    last = batch.attention_mask.sum(-1) - 1
    return states[torch.arange(len(states), device=states.device), last]
