"""The same question with its names disguised: spelling tricks a filter must see through."""

from __future__ import annotations

import re
from collections.abc import Callable

from guard.evaluate.attacks.base import Attack, Context, Probe, probe, reworded
from guard.evaluate.rows import Row

_LOOK_ALIKE = str.maketrans("aeopcxyi", "аеорсхуі")  # Cyrillic
_NAMES = re.compile(r"(?<!^)\b[A-Z]\w+(?:\s+[A-Z]\w+)*")

SPELLINGS: dict[str, Callable[[str], str]] = {
    "lower case": str.lower,
    "upper case": str.upper,
    "zero-width": lambda name: "\u200b".join(name),
    "look-alikes": lambda name: name.translate(_LOOK_ALIKE),
    "spelled out": lambda name: " ".join(name.replace(" ", "")),
    "hyphens": lambda name: name.replace(" ", "-"),
    "glued": lambda name: name.replace(" ", ""),
    "backwards": lambda name: name[::-1],
}


def _disguised(row: Row, context: Context, place: int) -> list[Probe]:
    if not _NAMES.search(row.question):
        return []
    return [
        probe(
            row,
            context,
            reworded(row, _NAMES.sub(lambda found, s=spell: s(found[0]), row.question)),  # type: ignore[misc]
        )
        for spell in SPELLINGS.values()
    ]


DISGUISES = Attack("disguises", f"names in {len(SPELLINGS)} spellings, the worst", _disguised)
