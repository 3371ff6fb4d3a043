"""The robustness heat map: what leaks from each arm under each attack."""

from __future__ import annotations

from collections.abc import Sequence

from guard.evaluate.arms.base import ATTACKERS, Attacker
from guard.evaluate.cells import Cell
from guard.evaluate.report.svg import GREY, INK, Drawing

WIDE, HIGH, LEFT, TOP = 46.0, 30.0, 210.0, 168.0
# One hue from light to dark, so that grey print keeps the order.
_LIGHT, _DARK = (247, 251, 255), (8, 48, 107)


def columns(cells: Sequence[Cell]) -> list[tuple[Attacker, str]]:
    """Attackers and their attacks, in the order of the threat model."""
    found = dict.fromkeys((c.attacker, c.attack) for c in cells if c.goal == "forget")
    return sorted(found, key=lambda column: ATTACKERS.index(column[0]))


def worst_cell(cells: Sequence[Cell], arm: str, column: tuple[Attacker, str]) -> Cell | None:
    """The leakiest part with signal; None where nothing counts."""
    within = [
        cell
        for cell in cells
        if cell.arm == arm
        and (cell.attacker, cell.attack) == column
        and cell.goal == "forget"
        and cell.counts
    ]
    return max(within, key=lambda cell: cell.value.value if cell.value else 0.0, default=None)


def heat_map(arms: Sequence[tuple[str, str]], cells: Sequence[Cell], title: str) -> str:
    """As SVG; `arms`: (name, arm whose weights are held), from top to bottom.

    Percent of questions that leaked, in the leakiest part. Weights columns show the arm whose
    weights are held. A dot: no signal, or not defined; a question mark: only guesses.
    """
    shown = columns(cells)
    guessed = {(c.arm, c.attacker, c.attack) for c in cells if c.guessing}
    width = LEFT + WIDE * len(shown) + 96  # the last names lean over the edge
    picture = Drawing(width, TOP + HIGH * len(arms) + 56, title)
    picture.text(12, 24, title, size=15, bold=True)
    for at, column in enumerate(shown):
        x = LEFT + WIDE * (at + 0.5)
        picture.text(x + 4, TOP - 8, column[1], size=12, turn=-55)
    for row, (arm, held) in enumerate(arms):
        y = TOP + HIGH * row
        picture.text(LEFT - 10, y + HIGH / 2 + 4, arm, size=12.5, anchor="end")
        for at, column in enumerate(shown):
            asked = held if column[0] == "weights" else arm
            nothing = "?" if (asked, *column) in guessed else "·"
            _cell(picture, LEFT + WIDE * at, y, worst_cell(cells, asked, column), nothing)
    _attackers(picture, shown, TOP + HIGH * len(arms))
    bottom = TOP + HIGH * len(arms)
    picture.text(12, bottom + 24, "· no signal, or not defined", size=12)
    if guessed:
        picture.text(12, bottom + 42, "? no better than guessing", size=12)
    return str(picture)


def _cell(picture: Drawing, x: float, y: float, cell: Cell | None, nothing: str) -> None:
    if cell is None or cell.value is None:
        picture.box(x, y, WIDE, HIGH, "#f2f2f2")
        picture.text(x + WIDE / 2, y + HIGH / 2 + 4, nothing, anchor="middle", colour=GREY)
        return
    share = min(1.0, max(0.0, cell.value.value))
    tint = tuple(round(a + (b - a) * share) for a, b in zip(_LIGHT, _DARK, strict=True))
    picture.box(x, y, WIDE, HIGH, f"rgb{tint}".replace(" ", ""))
    colour = "white" if share > 0.5 else INK
    label = f"{100 * share:.0f}"
    picture.text(x + WIDE / 2, y + HIGH / 2 + 4, label, anchor="middle", size=12, colour=colour)


def _attackers(picture: Drawing, shown: list[tuple[Attacker, str]], bottom: float) -> None:
    names = {"text": "sends text", "logprobs": "log-prob.", "weights": "holds the weights"}
    for attacker in ATTACKERS:
        at = [place for place, column in enumerate(shown) if column[0] == attacker]
        if at:
            left, right = LEFT + WIDE * at[0] + 3, LEFT + WIDE * (at[-1] + 1) - 3
            picture.line(left, bottom + 10, right, bottom + 10, INK, 1.5)
            # A single narrow column has no room for its name beside its neighbours'.
            drop = 44 if len(at) == 1 else 28
            picture.text(
                (left + right) / 2, bottom + drop, names[attacker], anchor="middle", size=12
            )
