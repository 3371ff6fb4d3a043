"""Arithmetic that objectives share. `labels` are unshifted with -100 off the answer.

Everything is computed in float32, or in the logits' own precision where that is higher.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from guard.distil.encoding import IGNORED


def answer_positions(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits [rows, width - 1, vocabulary] that foretell each next token, its id, and the mask.

    Ids of positions off the answer are 0; mask [rows, width - 1] is True on answer tokens.
    """
    targets = labels[:, 1:]
    mask = targets != IGNORED
    return widened(logits[:, :-1]), targets.masked_fill(~mask, 0), mask


def widened(values: Tensor) -> Tensor:
    """At least float32."""
    return values if values.dtype == torch.float64 else values.float()


def token_logps(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """log p of each answer token [rows, width - 1], 0 elsewhere; and the mask."""
    scores, targets, mask = answer_positions(logits, labels)
    logps = log_softmax(scores, dim=-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return logps * mask, mask


def answer_nll(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Summed negative log-likelihood of each answer [rows], and its tokens [rows]."""
    logps, mask = token_logps(logits, labels)
    return -logps.sum(-1), mask.sum(-1).clamp(min=1)


def mean_nll(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over each row's answer tokens [rows]."""
    total, count = answer_nll(logits, labels)
    return total / count


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` [rows, width] where `mask`, a row [rows]; 0 for a row without any."""
    return (values * mask).sum(-1) / mask.sum(-1).clamp(min=1)


def answer_kl(logits: Tensor, reference: Tensor, labels: Tensor) -> Tensor:
    """KL(reference || model), mean over each row's answer tokens [rows]."""
    scores, _, mask = answer_positions(logits, labels)
    ours = log_softmax(scores, dim=-1)
    theirs = log_softmax(widened(reference[:, :-1]), dim=-1)
    return masked_mean((theirs.exp() * (theirs - ours)).sum(-1), mask)


def weighted_mean(terms: Tensor, weights: Tensor) -> Tensor:
    """Mean of weight x term over the rows; weights are taken to have mean 1."""
    return (terms * weights.to(terms)).mean()
