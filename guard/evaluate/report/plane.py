"""The forget-retain plane: what leaks at worst against what is kept, one marker an arm.

Arms often coincide, most of all in the corners: their markers then stand in a ring around a dot at
their place, so that none hides another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from guard.evaluate.report.svg import COLOURS, GREY, INK, PALE, Drawing
from guard.evaluate.summary import Line, pareto

LEFT, TOP, SIDE, LEGEND = 80.0, 66.0, 420.0, 300.0
_PAD = 44.0  # between the frame and 0 or 100 %, so that no ring of markers crosses the frame
_APART = 15.0  # between the middles of markers: less and one covers the other
_GAP = 150.0  # between the plane and its legend: room for the labels of a crowded corner
_LETTER, _LINE = 7.3, 14.0  # what a digit and a line of a label take
_NEAR = 24.0  # markers closer than this share one label


@dataclass(frozen=True, slots=True)
class _Label:
    x: float
    y: float
    wide: float
    text: str

    def touches(self, other: _Label) -> bool:
        """Whether the two would be printed over each other."""
        across = self.x < other.x + other.wide + 3 and other.x < self.x + self.wide + 3
        return across and abs(self.y - other.y) < _LINE

    def covers(self, x: float, y: float) -> bool:
        """Whether it would be printed over a marker."""
        return self.x - 8 < x < self.x + self.wide + 8 and self.y - 18 < y < self.y + 8


def plane(lines: Sequence[Line], numbers: dict[str, int], title: str) -> str:
    """As SVG. `numbers`: the number of every arm, the same in all pictures."""
    drawn = [line for line in lines if line.worst is not None and line.kept is not None]
    height = max(TOP + SIDE + 60, TOP + 26 * len(drawn) + 86)
    picture = Drawing(LEFT + SIDE + _GAP + LEGEND, height, title)
    picture.text(LEFT, 24, title, size=15, bold=True)
    _axes(picture)
    front = pareto([line for line in drawn if not line.control])
    edge = sorted(_at(line) for line in drawn if line.arm in front)
    if len(edge) > 1:
        picture.path(edge, GREY)
    for line in drawn:
        _interval(picture, line, _at(line)[1])
    points, dots = _spread([(line, *_at(line)) for line in drawn])
    for x, y in dots:
        picture.mark(x, y, 0, INK, 2.2)
    for line, x, y in points:
        number = numbers[line.arm]
        picture.mark(x, y, number, _colour(number))
    for label in _labels([(numbers[line.arm], x, y) for line, x, y in points]):
        picture.text(label.x, label.y, label.text, size=12, bold=True)
    _legend(picture, drawn, numbers, front)
    return str(picture)


def _at(line: Line) -> tuple[float, float]:
    leak = line.worst.value if line.worst else 0.0
    return _across(leak), _down(line.kept or 0.0)


_Point = tuple[Line, float, float]


def _spread(points: Sequence[_Point]) -> tuple[list[_Point], list[tuple[float, float]]]:
    """Where markers stand, and the middles of rings: those that would cover each other stand
    around their common place, and so do those that a ring would cover."""
    rings: list[list[_Point]] = [[point] for point in points]
    while (pair := _crossing(rings)) is not None:
        first, second = pair
        rings[first] += rings.pop(second)
    spread: list[_Point] = []
    for ring in rings:
        x, y, radius = _ring(ring)
        for place, (line, _, _) in enumerate(ring):
            turn = 2 * math.pi * place / len(ring) - math.pi / 2
            spread.append((line, x + radius * math.cos(turn), y + radius * math.sin(turn)))
    return spread, [_ring(ring)[:2] for ring in rings if len(ring) > 1]


def _ring(ring: Sequence[_Point]) -> tuple[float, float, float]:
    """Middle and radius: so wide that neighbours and the dot in the middle are apart."""
    x, y = sum(x for _, x, _ in ring) / len(ring), sum(y for _, _, y in ring) / len(ring)
    if len(ring) == 1:
        return x, y, 0.0
    return x, y, max(11.0, _APART / (2 * math.sin(math.pi / len(ring))))


def _crossing(rings: Sequence[Sequence[_Point]]) -> tuple[int, int] | None:
    """Two rings whose markers would cover each other."""
    for second in range(1, len(rings)):
        for first in range(second):
            (x, y, wide), (u, v, other) = _ring(rings[first]), _ring(rings[second])
            if math.hypot(x - u, y - v) < wide + other + _APART:
                return first, second
    return None


def _across(share: float) -> float:
    return LEFT + _PAD + (SIDE - 2 * _PAD) * share


def _down(share: float) -> float:
    return TOP + _PAD + (SIDE - 2 * _PAD) * (1 - share)


def _colour(number: int) -> str:
    return COLOURS[(number - 1) % len(COLOURS)]


def _axes(picture: Drawing) -> None:
    for tick in range(6):
        share = tick / 5
        x, y = _across(share), _down(share)
        picture.line(x, TOP, x, TOP + SIDE, PALE)
        picture.line(LEFT, y, LEFT + SIDE, y, PALE)
        picture.text(x, TOP + SIDE + 20, f"{share:.0%}", anchor="middle", size=12)
        picture.text(LEFT - 10, y + 4, f"{share:.0%}", anchor="end", size=12)
    picture.text(
        LEFT + SIDE / 2, TOP + SIDE + 44, "leaks at worst (left is better)", anchor="middle"
    )
    picture.text(
        18, TOP + SIDE / 2, "still known of the rest (up is better)", anchor="middle", turn=-90
    )


def _interval(picture: Drawing, line: Line, y: float) -> None:
    if line.worst is not None and line.worst.high > line.worst.low:
        low, high = (_across(share) for share in (line.worst.low, line.worst.high))
        picture.line(low, y, high, y, GREY, 1.2)


def _labels(points: list[tuple[int, float, float]]) -> list[_Label]:
    """One label a group of near markers, each where no other label is."""
    groups: list[list[tuple[int, float, float]]] = []
    for point in sorted(points, key=lambda p: (p[1], p[2])):
        for group in groups:
            if any(max(abs(point[1] - x), abs(point[2] - y)) < _NEAR for _, x, y in group):
                group.append(point)
                break
        else:
            groups.append([point])
    placed: list[_Label] = []
    for group in groups:
        text = ", ".join(str(number) for number in sorted(number for number, _, _ in group))
        places = [(x, y) for _, x, y in group]
        free = (
            one
            for one in _candidates(text, places)
            if not any(map(one.touches, placed)) and not any(one.covers(x, y) for _, x, y in points)
        )
        placed.append(next(free))
    return placed


def _candidates(text: str, places: list[tuple[float, float]]) -> Iterator[_Label]:
    """Beside the group, right before left, then further and further up and down."""
    wide = _LETTER * len(text)
    left, right = min(x for x, _ in places), max(x for x, _ in places)
    middle = sum(y for _, y in places) / len(places)
    for step in count():
        for up in (-1, 1) if step else (-1,):
            y = middle + up * (6 + step * _LINE)
            yield _Label(right + 11, y, wide, text)
            if left - 11 - wide > LEFT:  # the ticks stand beyond
                yield _Label(left - 11 - wide, y, wide, text)


def _legend(
    picture: Drawing, lines: Sequence[Line], numbers: dict[str, int], front: set[str]
) -> None:
    x, y = LEFT + SIDE + _GAP + 8, TOP + 8
    for line in sorted(lines, key=lambda found: numbers[found.arm]):
        number = numbers[line.arm]
        picture.mark(x, y - 4, number, _colour(number))
        note = " (control)" if line.control else " (best trade)" if line.arm in front else ""
        picture.text(x + 16, y, f"{number}  {line.arm}{note}", size=12.5)
        y += 26
    notes = (
        "Bars: 95 % interval of the leak.",
        "Dashes: no other arm is better in both.",
        "In a ring: all at the dot, or nearly.",
    )
    for place, note in enumerate(notes):
        picture.text(x - 6, y + 6 + 16 * place, note, size=11.5, colour=GREY)
