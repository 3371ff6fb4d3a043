"""Which blocks hold what must go: by leaving them out, or by mending them one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from guard.distil.blocks import Change, blocks, changed_output, loss_on, seen, skipped
from guard.distil.encoding import IGNORED, Batch
from guard.distil.errors import DistilError


@torch.no_grad()
def ablated(model: Any, batches: Sequence[Batch]) -> list[float]:
    """How much the loss on these rows changes without each block, in nats a token."""
    whole = loss_on(model, batches)
    changes = []
    for block in blocks(model):
        with skipped(block):
            changes.append(abs(loss_on(model, batches) - whole))
    return changes


@torch.no_grad()
def traced(
    model: Any, batches: Sequence[Batch], noise: float, draw: torch.Generator
) -> list[float]:
    """How much of the loss that noise in the prompt costs each block's clean MLP output mends.

    `noise` in standard deviations of the embedding weights; nats a token, a block each.
    """
    feeders = [mlp(block) for block in blocks(model)]
    embedding = model.get_input_embeddings()
    spread = noise * float(embedding.weight.std())
    mended = [0.0] * len(feeders)
    for batch in batches:
        asked = (batch.labels == IGNORED) & batch.attention_mask.bool()
        clean = _outputs(model, feeders, batch)
        shape = (*batch.input_ids.shape, embedding.weight.shape[1])
        blur = torch.randn(shape, generator=draw).to(embedding.weight) * spread
        blur = blur * asked.unsqueeze(-1)
        with changed_output(embedding, _add(blur)):
            broken = loss_on(model, [batch])
            for i, feeder in enumerate(feeders):
                with changed_output(feeder, _mend(clean[i], asked)):
                    mended[i] += broken - loss_on(model, [batch])
    return [one / max(1, len(batches)) for one in mended]


def top(scores: Sequence[float], count: int) -> tuple[int, ...]:
    """The places of the `count` largest scores, in order of place; ties go to the first."""
    ranked = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    return tuple(sorted(ranked[:count]))


def mlp(block: nn.Module) -> nn.Module:
    """A block's feed-forward part. Raises `DistilError` when it has another name."""
    found = getattr(block, "mlp", None)
    if not isinstance(found, nn.Module):
        raise DistilError(f"{type(block).__name__} has no part that is called mlp")
    return found


def attention(block: nn.Module) -> nn.Module:
    """A block's attention. Raises `DistilError` when it has another name."""
    found = getattr(block, "self_attn", None)
    if not isinstance(found, nn.Module):
        raise DistilError(f"{type(block).__name__} has no part that is called self_attn")
    return found


def _outputs(model: Any, modules: list[nn.Module], batch: Batch) -> list[Tensor]:
    found: dict[int, Tensor] = {}

    def look(i: int, _: Tensor, output: Tensor) -> None:
        found[i] = output

    with ExitStack() as stack:
        stack.enter_context(seen(modules, look))
        model(**batch.inputs)
    return [found[i] for i in range(len(modules))]


def _add(noise: Tensor) -> Change:
    def change(output: Tensor) -> Tensor:
        return output + noise

    return change


def _mend(clean: Tensor, where: Tensor) -> Change:
    def change(output: Tensor) -> Tensor:
        return torch.where(where.unsqueeze(-1), clean, output)

    return change
