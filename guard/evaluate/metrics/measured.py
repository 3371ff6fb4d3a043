"""What every metric gives back: a value with its name and the variant of the definition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure.

    `value` is None where the metric is not defined for what was measured, and `why` then says why.
    `variant` names which of the published definitions was used. `count`: items behind the figure.
    """

    metric: str
    variant: str
    value: float | None
    count: int = 0
    why: str = ""

    def as_row(self) -> dict[str, Any]:
        """As a JSON object."""
        row: dict[str, Any] = {
            "metric": self.metric,
            "variant": self.variant,
            "value": self.value,
            "count": self.count,
        }
        return row | ({"why": self.why} if self.why else {})


def not_defined(metric: str, variant: str, why: str) -> Measured:
    """A metric that this arm or suite cannot honestly give."""
    return Measured(metric, variant, None, why=why)
