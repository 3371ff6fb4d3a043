"""How much memory a run took, and what to do when there is not enough."""

from __future__ import annotations

import errno
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from guard.distil.errors import DistilError

LOADING = (
    "out of memory while the model is loaded: train an adapter (parameters: lora, which with "
    "train.precision: bf16 takes half the memory), or take a device with more memory"
)
RUNNING = (
    "out of memory: halve train.batch_size and double train.accumulation, set "
    "train.gradient_checkpointing: true, lower train.max_length, or train an adapter "
    "(parameters: lora)"
)

# What torch says where it has no type of its own: on the CPU, in cuBLAS, on older devices.
_SAID = re.compile(
    r"out of memory|can't allocate memory|not enough memory|cannot allocate memory|ALLOC_FAILED",
    re.IGNORECASE,
)


def peak_bytes() -> int:
    """The highest use so far: of the accelerator where there is one, else of the process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def is_exhausted(error: BaseException) -> bool:
    """Whether an error means that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and bool(_SAID.search(str(error)))


@contextmanager
def enough_memory(advice: str = RUNNING) -> Iterator[None]:
    """Raises `DistilError` with the advice where memory runs out inside the block."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not is_exhausted(error):
            raise
        raise DistilError(advice) from error
