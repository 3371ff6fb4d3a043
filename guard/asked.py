"""What a request asks for, in the words that flow and detectors need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Turn(NamedTuple):
    """What one side said: the protocol's role, and the text of all parts."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One generation request, read.

    `texts`: everything the model will read, one string a message part or field; `spans`: the same
    joined as the model will see it, so that a name cannot hide across parts or turns; `leads`: the
    text that stands right before a lane's answer (completions), by lane; `turns`: who said what, in
    order (of completions each prompt, which stand alone); `unreadable`: the kind of a part that no
    detector can read (an image, token ids), if there is one.
    """

    model: str
    stream: bool
    lanes: int
    include_usage: bool = False
    texts: tuple[str, ...] = ()
    spans: tuple[str, ...] = ()
    leads: Mapping[int, str] = field(default_factory=dict)
    turns: tuple[Turn, ...] = ()
    unreadable: str | None = None
    stateless: bool = True
