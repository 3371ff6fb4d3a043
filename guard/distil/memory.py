"""How much memory a run took."""

from __future__ import annotations

import resource
import sys

import torch


def peak_bytes() -> int:
    """The highest use so far: of the accelerator where there is one, else of the process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
