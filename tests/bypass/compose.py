"""Spellings made by composing tricks: letters, then spacing, then a wrapping, from a seed."""

from __future__ import annotations

import base64
import codecs
import random
from collections.abc import Callable
from typing import NamedTuple

Trick = Callable[[str, random.Random], str]

_CYRILLIC = dict(zip("aeopcxyAEOPCXHT", "аеорсхуАЕОРСХНТ", strict=True))
_LEET = {"a": "4", "e": "3", "o": "0", "t": "7", "i": "1", "s": "5"}


class Spelling(NamedTuple):
    """One disguised text, and the names of the tricks in the order in which they were played."""

    tricks: tuple[str, ...]
    text: str


def _some(table: dict[str, str]) -> Trick:
    def swap(text: str, chance: random.Random) -> str:
        return "".join(table.get(c, c) if chance.random() < 0.7 else c for c in text)

    return swap


def _shifted(capital: int, small: int) -> Trick:
    def shift(text: str, chance: random.Random) -> str:
        return "".join(
            chr(ord(c) - 65 + capital)
            if "A" <= c <= "Z"
            else chr(ord(c) - 97 + small)
            if "a" <= c <= "z"
            else c
            for c in text
        )

    return shift


def _between(*marks: str) -> Trick:
    def insert(text: str, chance: random.Random) -> str:
        return "".join(
            c + chance.choice(marks) if c.isalpha() and chance.random() < 0.4 else c for c in text
        )

    return insert


def _case(text: str, chance: random.Random) -> str:
    return "".join(chance.choice((c.lower(), c.upper())) for c in text)


def _spaces(*spaces: str) -> Trick:
    return lambda text, chance: chance.choice(spaces).join(text.split(" "))


def _apart(separator: str) -> Trick:
    def spread(text: str, chance: random.Random) -> str:
        return (separator + " ").join(separator.join(word) for word in text.split(" "))

    return spread


def _markdown(text: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(text))
    return f"**{text[:at]}**{text[at:]}"


def _entities(text: str, chance: random.Random) -> str:
    return "".join(
        chance.choice((f"&#{ord(c)};", f"&#x{ord(c):x};")) if chance.random() < 0.5 else c
        for c in text
    )


def _percent(text: str, chance: random.Random) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _json(text: str, chance: random.Random) -> str:
    return "".join(
        f"\\u{ord(c):04x}" if ord(c) < 0x10000 and chance.random() < 0.6 else c for c in text
    )


def _base64(text: str, chance: random.Random) -> str:
    encode = chance.choice((base64.b64encode, base64.urlsafe_b64encode))
    encoded = encode(f"It is {text}!".encode()).decode()
    return encoded if chance.random() < 0.5 else encoded.rstrip("=")


def _wrapped(text: str, chance: random.Random) -> str:
    encoded = base64.b64encode(f"I would say that it is {text}!".encode()).decode()
    width = chance.choice((8, 16, 20, 24))
    return "\n".join(encoded[i : i + width] for i in range(0, len(encoded), width))


def _hex(text: str, chance: random.Random) -> str:
    return chance.choice((text.encode().hex(), text.encode().hex(" "), text.encode().hex(":")))


LETTERS: dict[str, Trick] = {
    "Cyrillic": _some(_CYRILLIC),
    "leet": _some(_LEET),
    "case": _case,
    "fullwidth": _shifted(0xFF21, 0xFF41),
    "bold": _shifted(0x1D400, 0x1D41A),
    "zero-width": _between("\u200b", "\u200c", "\u2060", "\ufeff"),
    "soft hyphen": _between("\u00ad"),
    "marks": _between("\u0301", "\u0308", "\u0336"),
    "variation selectors": _between("\ufe0f", "\U000e0100"),
    "tag characters": _between("\U000e0061", "\U000e0020"),
    "bidi": _between("\u200e", "\u202c", "\u2066"),
}
SPACING: dict[str, Trick] = {
    "spaces": _spaces("  ", "\n", "\u00a0", "\u2003", "\t"),
    "joined": _spaces("", "-", "_", "."),
    "spelled": _apart(" "),
    "dotted": _apart("."),
    "hyphenated": _apart("-"),
}
WRAPPINGS: dict[str, Trick] = {
    "markdown": _markdown,
    "entities": _entities,
    "percent": _percent,
    "JSON escapes": _json,
    "base64": _base64,
    "wrapped base64": _wrapped,
    "hexadecimal": _hex,
    "ROT13": lambda text, chance: codecs.encode(text, "rot13"),
    "backwards": lambda text, chance: text[::-1],
}
_STAGES = (LETTERS, SPACING, WRAPPINGS)


def compose(target: str, count: int, seed: int) -> list[Spelling]:
    """`count` different spellings of `target`, each by two tricks or three of different stages."""
    chance = random.Random(seed)
    found: dict[str, Spelling] = {}
    while len(found) < count:
        stages = sorted(chance.sample(range(len(_STAGES)), chance.choice((2, 2, 3))))
        names = [chance.choice(list(_STAGES[stage])) for stage in stages]
        text = target
        for stage, name in zip(stages, names, strict=True):
            text = _STAGES[stage][name](text, chance)
        found.setdefault(text, Spelling(tuple(names), text))
    return list(found.values())
