"""What a check says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "note", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing seen. `level`: `note` is worth knowing, `warning` weakens the guard, `problem`
    means that what was asked for does not work; `mend`: the flag or step that mends it."""

    check: str
    level: Level
    seen: str
    mend: str | None = None

    @property
    def is_bad(self) -> bool:
        return self.level in ("warning", "problem")

    def as_row(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
