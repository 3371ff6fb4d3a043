"""The gradients of what goes and of what stays, kept apart, as flat vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from guard.distil.axes import Losses
from guard.distil.job import Job


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """One vector [all elements] of at least float32."""
    return torch.cat([_wide(tensor).reshape(-1) for tensor in tensors])


def shaped(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """The inverse of `flat`: pieces of `vector` in the shapes and types of `like`."""
    pieces = torch.split(vector, [tensor.numel() for tensor in like])
    return [
        piece.reshape(tensor.shape).to(tensor) for piece, tensor in zip(pieces, like, strict=True)
    ]


def gradient(job: Job, loss: Tensor) -> Tensor:
    """d loss / d trained, flat; 0 where the loss does not depend on a parameter."""
    trained = list(job.trained.values())
    grads = torch.autograd.grad(loss, trained, allow_unused=True)
    return flat(
        torch.zeros_like(p) if g is None else g for p, g in zip(trained, grads, strict=True)
    )


def cut_to(vector: Tensor, norm: float) -> Tensor:
    """The vector, no longer than `norm`; 0 leaves it."""
    length = float(vector.norm())
    return vector * (norm / length) if 0 < norm < length else vector


class Apart:
    """Accumulates both gradients over a step's micro-batches.

    Takes two vectors of the size of what is trained. `torch.autograd.grad` passes by the hooks of
    accelerate's wrapper, so `taken` takes the mean over the processes itself.
    """

    def __init__(self) -> None:
        self._forget: Tensor | None = None
        self._retain: Tensor | None = None

    def add(self, job: Job, losses: Losses, share: float, *, penalise: str) -> None:
        """A micro-batch's losses; penalties join the side named by `penalise`."""
        extra = sum(losses.penalties.values(), start=losses.forget.new_zeros(()))
        forget, retain = losses.forget, losses.retain
        if penalise == "forget" or retain is None:
            forget = forget + extra
        else:
            retain = retain + extra
        found = gradient(job, forget) * share
        self._forget = found if self._forget is None else self._forget + found
        if retain is not None:
            found = gradient(job, retain) * share
            self._retain = found if self._retain is None else self._retain + found

    def taken(self, job: Job) -> tuple[Tensor, Tensor | None]:
        """(forget, retain) of the step, and an empty start for the next."""
        forget, retain = self._forget, self._retain
        self._forget = self._retain = None
        if forget is None:
            raise RuntimeError("there was no backward pass since the last step")
        if job.accelerator.num_processes > 1:
            forget = job.accelerator.reduce(forget, "mean")
            retain = None if retain is None else job.accelerator.reduce(retain, "mean")
        return forget, retain


def write_gradient(job: Job, vector: Tensor) -> None:
    """Sets `.grad` of everything trained."""
    trained = list(job.trained.values())
    for parameter, piece in zip(trained, shaped(vector, trained), strict=True):
        parameter.grad = piece


def _wide(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()
