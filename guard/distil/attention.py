"""Attention weights, and which tokens of a prompt an answer hangs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from guard.distil.encoding import IGNORED, Batch
from guard.distil.job import Job
from guard.distil.losses import answer_nll, widened


def plain_model(model: Any) -> Any:
    """The transformers model inside peft's wrapper, if there is one."""
    inner = getattr(model, "get_base_model", None)
    return inner() if inner is not None else model


def show_attention(job: Job) -> None:
    """Switches trained and start model to the implementation that gives its weights out."""
    plain_model(job.model).set_attn_implementation("eager")
    with job.reference() as start:
        plain_model(start).set_attn_implementation("eager")


def answer_attention(attentions: tuple[Tensor, ...], importance: Tensor, labels: Tensor) -> Tensor:
    """What share of its attention each answer position gives to important tokens, [rows].

    Mean over layers, heads and the positions that foretell the answer. `attentions`: a layer
    each, [rows, heads, query, key]; importance [rows, key] in 0..1.
    """
    foretelling = torch.zeros_like(labels, dtype=torch.bool)
    foretelling[:, :-1] = labels[:, 1:] != IGNORED
    shares = []
    for weights in attentions:
        share = (widened(weights) * importance[:, None, None, :]).sum(-1).mean(1)  # [rows, query]
        shares.append((share * foretelling).sum(-1) / foretelling.sum(-1).clamp(min=1))
    return torch.stack(shares).mean(0)


def embedding_gradient(job: Job, batch: Batch, loss: Callable[[Tensor], Tensor]) -> Tensor:
    """Gradient of the start model's loss at its input embeddings, [rows, width, size].

    `loss`: a row each, of the logits.
    """
    with job.reference() as start, torch.enable_grad():
        embedded: Any = start.get_input_embeddings()(batch.input_ids).detach().requires_grad_(True)
        logits = start(inputs_embeds=embedded, attention_mask=batch.attention_mask).logits
        (gradient,) = torch.autograd.grad(loss(logits).sum(), embedded)
    return widened(gradient)


def importance(job: Job, batch: Batch) -> Tensor:
    """How much the start model's answer hangs on each prompt token, [rows, width] in 0..1.

    The norm of the answer loss's gradient at the token's embedding, over the row's largest; 0 on
    answer tokens and padding.
    """
    gradient = embedding_gradient(job, batch, lambda logits: answer_nll(logits, batch.labels)[0])
    prompt = (batch.labels == IGNORED) & batch.attention_mask.bool()
    norms = gradient.norm(dim=-1) * prompt
    return norms / norms.max(-1, keepdim=True).values.clamp(min=1e-12)
