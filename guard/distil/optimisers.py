"""The optimiser and its schedule from `train`."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from guard.distil.recipe import TrainConfig


def make_optimiser(parameters: Iterable[nn.Parameter], train: TrainConfig) -> Optimizer:
    """AdamW or plain SGD over the trained parameters."""
    if train.optimiser == "sgd":
        return torch.optim.SGD(parameters, lr=train.lr, weight_decay=train.weight_decay)
    return torch.optim.AdamW(
        parameters, lr=train.lr, betas=train.betas, weight_decay=train.weight_decay
    )


def make_schedule(optimiser: Optimizer, train: TrainConfig, total_steps: int) -> LambdaLR:
    """Linear warm-up over `train.warmup` of the steps, then constant, or down to 0."""
    warm = math.ceil(train.warmup * total_steps)

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / (warm + 1)
        if train.schedule == "constant":
            return 1.0
        done = (step - warm) / max(1, total_steps - warm)
        return 1.0 - done if train.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2

    return LambdaLR(optimiser, factor)
