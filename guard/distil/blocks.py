"""A transformer's blocks, and looks into them while it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from guard.distil.encoding import Batch
from guard.distil.errors import DistilError
from guard.distil.hidden import layers
from guard.distil.job import Job
from guard.distil.losses import answer_nll
from guard.distil.rows import Row
from guard.distil.sampling import chunks

Change = Callable[[Tensor], Tensor]

_LAYER = re.compile(r"\.layers\.(\d+)\.")


def blocks(model: Any) -> nn.ModuleList:
    """The decoder's blocks in order. Raises `DistilError` when they cannot be told."""
    count = layers(model)
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise DistilError(f"the blocks of {type(model).__name__} cannot be found")


def layer_number(name: str) -> int | None:
    """The block that a parameter belongs to, from 0; None outside of the blocks."""
    found = _LAYER.search(name)
    return int(found.group(1)) if found else None


@contextmanager
def changed_output(module: nn.Module, change: Change) -> Iterator[None]:
    """What the module gives (or the first of it) goes through `change` inside the block."""

    def hook(_: nn.Module, __: Any, output: Any) -> Any:
        if isinstance(output, Tensor):
            return change(output)
        return (change(output[0]), *output[1:])

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def skipped(block: nn.Module) -> Iterator[None]:
    """The block adds nothing: it gives what it was given."""

    def hook(_: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any], output: Any) -> Any:
        given = inputs[0] if inputs else options["hidden_states"]
        return given if isinstance(output, Tensor) else (given, *output[1:])

    handle = block.register_forward_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def seen(
    modules: Sequence[nn.Module], look: Callable[[int, Tensor, Tensor], None]
) -> Iterator[None]:
    """Calls `look(place in modules, input, output)` after each of them ran."""

    def hooked(i: int) -> Any:
        def hook(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            look(i, inputs[0], output if isinstance(output, Tensor) else output[0])

        return hook

    handles = [module.register_forward_hook(hooked(i)) for i, module in enumerate(modules)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def batches(job: Job, rows: Sequence[Row], most: int) -> Iterator[Batch]:
    """The first `most` rows, `train.batch_size` at a time."""
    for piece in chunks(tuple(rows[:most]), job.recipe.train.batch_size):
        yield job.batch(piece)


@torch.no_grad()
def loss_on(model: Any, batches: Sequence[Batch]) -> float:
    """Negative log-likelihood an answer token, in nats."""
    total, count = 0.0, 0
    for batch in batches:
        nll, tokens = answer_nll(model(**batch.inputs).logits, batch.labels)
        total, count = total + float(nll.sum()), count + int(tokens.sum())
    return total / max(1, count)
