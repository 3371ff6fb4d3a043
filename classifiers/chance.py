"""What the number of subjects alone tells: among many, one or other is met by chance.

The best of N subjects is looked at, and thresholds were set with one. One or other of N shares N
times as often by chance what a single one does: log2 N bits (a union bound). Up to `FEW` nothing
is taken off: with 100 subjects no prompt of ordinary traffic was flagged (docs/benchmarks.md), and
what is taken off is taken from prompts that mean somebody too.
"""

from __future__ import annotations

import math

FEW = 64


def chance_bits(subjects: int) -> float:
    """Bits that evidence for one of so many subjects has to tell beyond what is asked of it."""
    return math.log2(max(subjects, FEW) / FEW)
