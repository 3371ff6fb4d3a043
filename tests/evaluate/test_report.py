"""Pictures of a report: nothing overlaps, nothing is left out, ranks and fronts are right."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.evaluate.arms.base import Attacker
from guard.evaluate.cells import GUESSING, Cell
from guard.evaluate.metrics.bounds import Interval
from guard.evaluate.report.data import redacted
from guard.evaluate.report.heat import heat_map
from guard.evaluate.report.plane import _at, _spread, plane
from guard.evaluate.report.svg import COLOURS, Drawing
from guard.evaluate.report.tables import table
from guard.evaluate.report.whiskers import whiskers
from guard.evaluate.summary import Line, pareto

SVG = "{http://www.w3.org/2000/svg}"
SHARES = st.floats(0, 1)


def line(name: str, leak: float, kept: float, attacker: Attacker = "text") -> Line:
    worst = Interval(leak, max(0.0, leak - 0.1), min(1.0, leak + 0.1))
    return Line(name, attacker, False, leak, worst, "somewhere", kept, 0.5)


def texts(svg: str) -> list[tuple[float, float, float, str]]:
    """Left, right, baseline and text of every level text; letters taken as 0.6 of their size."""
    found = []
    for element in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        if "transform" in element.attrib:
            continue
        x, y, size = (float(element.attrib[key]) for key in ("x", "y", "font-size"))
        said = element.text or ""
        wide = 0.6 * size * len(said)
        left = x - {"start": 0, "middle": wide / 2, "end": wide}[element.attrib["text-anchor"]]
        found.append((left, left + wide, y, said))
    return found


@given(st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=14))
def test_labels_in_the_plane_name_every_arm_and_do_not_overlap(
    points: list[tuple[float, float]],
) -> None:
    lines = [line(f"arm {place}", *point) for place, point in enumerate(points)]
    numbers = {one.arm: place for place, one in enumerate(lines, start=1)}
    svg = plane(lines, numbers, "title")
    labels = [t for t in texts(svg) if re.fullmatch(r"\d+(, \d+)*", t[3])]
    named = sorted(int(number) for label in labels for number in label[3].split(", "))
    assert named == sorted(numbers.values())
    for place, first in enumerate(labels):
        for second in labels[place + 1 :]:
            apart = abs(first[2] - second[2]) >= 11
            assert apart or first[1] <= second[0] or second[1] <= first[0], (first, second)


@given(st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=16), st.integers(1, 12))
def test_no_marker_in_the_plane_hides_another_or_leaves_the_frame(
    points: list[tuple[float, float]], alike: int
) -> None:
    """Arms coincide, most of all where nothing leaks and all is kept."""
    places = [*points, *[(0.0, 1.0)] * alike][:16]
    spread, _ = _spread(
        [(line(f"arm {n}", *place), *_at(line("", *place))) for n, place in enumerate(places)]
    )
    assert sorted(one.arm for one, _, _ in spread) == sorted(f"arm {n}" for n in range(len(places)))
    for place, (_, x, y) in enumerate(spread):
        assert 80 < x < 500 and 66 < y < 486
        assert all(math.hypot(x - u, y - v) >= 13 for _, u, v in spread[place + 1 :])


def test_a_marker_alone_stands_where_it_belongs() -> None:
    apart = [(line("a", 0.2, 0.3), 120.0, 200.0), (line("b", 0.9, 0.8), 300.0, 90.0)]
    assert _spread(apart) == (apart, [])


@pytest.mark.parametrize("count", [1, 5, 14])
def test_pictures_hold_all_their_texts(count: int) -> None:
    lines = [line(f"arm number {n}", n / 14, 1 - n / 20) for n in range(count)]
    cells = [
        Cell(one.arm, "s", "p", "forget", attack, "text", "v", one.worst, 3, 3)
        for one in lines
        for attack in ("plain", "paraphrase")
    ]
    numbers = {one.arm: place for place, one in enumerate(lines, start=1)}
    held = [(one.arm, one.arm) for one in lines]
    for svg in (
        plane(lines, numbers, "a title"),
        whiskers(lines, "a title"),
        heat_map(held, cells, "a title"),
    ):
        root = ElementTree.fromstring(svg)
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        for left, right, y, said in texts(svg):
            assert left >= 0 and right <= width + 1 and 0 < y < height, said
        shown = {said for *_, said in texts(svg)}
        assert all(any(one.arm in said for said in shown) for one in lines)


def test_a_heat_map_shows_the_worst_part_with_signal_and_a_dot_elsewhere() -> None:
    def cell(part: str, value: float, signal: bool = True) -> Cell:
        found = Interval(value, value, value)
        return Cell("a", "s", part, "forget", "plain", "text", "v", found, 3, 3, signal)

    svg = heat_map(
        [("a", "a"), ("b", "b")], [cell("p", 0.2), cell("q", 0.4), cell("r", 1, False)], ""
    )
    said = [text for *_, text in texts(svg)]
    assert "40" in said and "·" in said and not {"20", "100", "?"} & set(said)


def test_a_heat_map_says_where_leaks_are_guesses() -> None:
    half = Interval(0.5, 0.5, 0.5)
    guessed = Cell(
        *("a", "s", "p", "forget", "plain", "text", "v", half, 3, 3), signal=False, why=GUESSING
    )
    said = [text for *_, text in texts(heat_map([("a", "a"), ("b", "b")], [guessed], ""))]
    assert said.count("?") == said.count("·") == 1 and "50" not in said
    assert "? no better than guessing" in said


@given(st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=9))
def test_the_front_is_what_nobody_beats(points: list[tuple[float, float]]) -> None:
    lines = [line(str(place), *point) for place, point in enumerate(points)]
    front = pareto(lines)
    for place, (leak, kept) in enumerate(points):
        beaten = any(
            other[0] <= leak and other[1] >= kept and other != (leak, kept) for other in points
        )
        assert (str(place) in front) is (leak < 1 and not beaten)


def test_no_control_is_the_best_trade() -> None:
    """An oracle beats every arm: it would leave none on the front."""
    ways = [line("refuse", 0.1, 0.5), line("restrict", 0.4, 0.9)]
    oracle = replace(line("oracle", 0.0, 1.0), control=True)
    lines = [*ways, oracle]
    svg = plane(lines, {one.arm: n for n, one in enumerate(lines, 1)}, "title")
    best = [text for *_, text in texts(svg) if "best trade" in text]
    assert len(best) == 2 and not any("oracle" in text for text in best)


def test_texts_are_escaped() -> None:
    picture = Drawing(10, 10, "<title>")
    picture.text(1, 1, "<script>")
    assert "<script>" not in str(picture)
    assert "<td>&lt;b&gt;</td>" in table(("x",), [("<b>",)], 1)


def test_redacted_texts_keep_their_length_and_lose_their_words() -> None:
    assert redacted("Ottoline Varga won.") == "O███████ V████ w███"


def test_neighbouring_colours_differ() -> None:
    assert len(set(COLOURS)) == len(COLOURS) == 8
