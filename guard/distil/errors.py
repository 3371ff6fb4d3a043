"""What stops `guard distil`."""

from __future__ import annotations

from guard.errors import GuardError


class DistilError(GuardError):
    """A distillation cannot start, go on or be written; the message says what to change."""


class BudgetSpent(DistilError):
    """The very first steps cost more of what is retained than the policies allow."""
