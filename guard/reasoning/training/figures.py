"""What a model's instructions are like on held-out requests."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from guard.reasoning.training.asking import Request
from guard.reasoning.training.checking import checked


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares of `rows` instructions, as the server would get them.

    `screened`: followed, and not replaced by the template; `formed`: two to five sentences that say
    what to leave out; `about`: says what is asked;
    `leaked`: says a fact or a name that the conversation does not; `followed_about` and
    `followed_leaked`: the same, and the screen let it pass; `good`: all that a row of the training
    data has to be. `words`: the mean length.
    """

    rows: int
    screened: float
    formed: float
    about: float
    followed_about: float
    leaked: float
    followed_leaked: float
    good: float
    words: float


def figures(texts: Sequence[str], requests: Sequence[Request]) -> Figures:
    """Judges one instruction for each request, by rules alone."""
    looks = [checked(text, request) for text, request in zip(texts, requests, strict=True)]

    def share(hits: Sequence[bool]) -> float:
        return round(sum(hits) / len(looks), 4)

    return Figures(
        rows=len(looks),
        screened=share([look.text is not None for look in looks]),
        formed=share([look.formed for look in looks]),
        about=share([look.about for look in looks]),
        followed_about=share([look.about and look.text is not None for look in looks]),
        leaked=share([look.leaks for look in looks]),
        followed_leaked=share([look.leaks and look.text is not None for look in looks]),
        good=share([look.good for look in looks]),
        words=round(statistics.fmean(len(text.split()) for text in texts), 1),
    )
