"""Leak and keep of every arm with their intervals, one row an arm."""

from __future__ import annotations

from collections.abc import Sequence

from guard.evaluate.report.svg import COLOURS, GREY, INK, PALE, Drawing
from guard.evaluate.summary import Line

LEFT, TOP, SIDE, ROW = 210.0, 66.0, 420.0, 34.0
_LEAK, _KEPT = COLOURS[1], COLOURS[0]


def whiskers(lines: Sequence[Line], title: str) -> str:
    """As SVG: a triangle for the worst leak with its interval, a circle for what is kept."""
    picture = Drawing(LEFT + SIDE + 40, TOP + ROW * len(lines) + 44, title)
    picture.text(12, 24, title, size=15, bold=True)
    picture.mark(LEFT + 6, 44, 2, _LEAK)
    picture.text(LEFT + 18, 48, "leaks at worst, with 95 % interval", size=12)
    picture.mark(LEFT + 250, 44, 0, _KEPT)
    picture.text(LEFT + 262, 48, "still known of the rest", size=12)
    bottom = TOP + ROW * len(lines)
    for tick in range(6):
        x = LEFT + SIDE * tick / 5
        picture.line(x, TOP, x, bottom, PALE)
        picture.text(x, bottom + 20, f"{tick / 5:.0%}", anchor="middle", size=12)
    for place, line in enumerate(lines):
        y = TOP + ROW * (place + 0.5)
        picture.text(LEFT - 12, y + 4, line.arm, anchor="end", size=12.5)
        if line.worst is not None:
            low, high = (LEFT + SIDE * share for share in (line.worst.low, line.worst.high))
            picture.line(low, y - 6, high, y - 6, GREY, 1.5)
            for end in (low, high):
                picture.line(end, y - 10, end, y - 2, GREY, 1.5)
            picture.mark(LEFT + SIDE * line.worst.value, y - 6, 2, _LEAK)
        if line.kept is not None:
            picture.mark(LEFT + SIDE * line.kept, y + 8, 0, _KEPT, 5.5)
        picture.line(LEFT, y + ROW / 2, LEFT + SIDE, y + ROW / 2, PALE, 0.6)
    picture.line(LEFT, TOP, LEFT, bottom, INK)
    return str(picture)
