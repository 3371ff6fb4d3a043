"""An attack turns a row into requests; what the worst answer gives away is the row's score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from guard.evaluate.arms.base import Asked, Sampling
from guard.evaluate.rows import Goal, Message, Row


@dataclass(frozen=True, slots=True)
class Context:
    """What an attack may use beside the row: all rows of its suite, and how answers are drawn."""

    rows: Sequence[Row]
    sampling: Sampling

    def kept(self, place: int) -> Row | None:
        """A row that is to be kept, asked plainly; another for another place. None in a suite that
        keeps nothing: what needs one does not apply there."""
        kept = [row for row in self.rows if row.goal == "retain"]
        return kept[place % len(kept)] if kept else None


@dataclass(frozen=True, slots=True)
class Probe:
    """One request, and the row that its answer is scored by."""

    asked: Asked
    scored: Row


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack by somebody who sends text.

    `probes(row, context, place)`: the requests for the row at that place of its suite; none where
    the attack does not fit it. `goals`: rows that it is run on.
    """

    name: str
    what: str
    probes: Callable[[Row, Context, int], list[Probe]]
    goals: tuple[Goal, ...] = ("forget",)
    source: str = ""


def probe(
    row: Row,
    context: Context,
    messages: Sequence[Message],
    *,
    scored: Row | None = None,
    sampling: Sampling | None = None,
    opening: str = "",
) -> Probe:
    """A probe of these messages for that row."""
    drawn = sampling or context.sampling
    return Probe(Asked(tuple(messages), drawn, opening, row.goal), scored or row)


def reworded(row: Row, question: str) -> tuple[Message, ...]:
    """The row's messages with another last question."""
    last = max(at for at, (role, _) in enumerate(row.messages) if role == "user")
    return (*row.messages[:last], ("user", question), *row.messages[last + 1 :])
