"""Drawings as SVG text: legible in print and without colour, no library needed."""

from __future__ import annotations

from html import escape

# Okabe and Ito's colours, told apart by colour-blind readers; shapes tell them apart in print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F7F7F")
INK, GREY, PALE = "#1a1a1a", "#6b6b6b", "#dcdcdc"
FONT = "Helvetica, Arial, sans-serif"


class Drawing:
    """A picture of `width` x `height` pixels, with a description for who cannot see it."""

    def __init__(self, width: float, height: float, described: str) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []
        self._described = described

    def line(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        colour: str = GREY,
        width: float = 1.0,
        dashes: str = "",
    ) -> None:
        """A straight line."""
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{dashed}/>'
        )

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, edge: str = "white"
    ) -> None:
        """A filled rectangle."""
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{fill}" stroke="{edge}"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 13,
        anchor: str = "start",
        colour: str = INK,
        turn: float = 0,
        bold: bool = False,
    ) -> None:
        """One line of text; `turn` in degrees around its anchor."""
        turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
        # A white rim keeps bold labels legible over lines.
        rim = ' paint-order="stroke" stroke="white" stroke-width="5"' if bold else ""
        weight = f' font-weight="bold"{rim}' if bold else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{colour}"{weight}{turned}>{escape(text)}</text>'
        )

    def mark(self, x: float, y: float, kind: int, colour: str, size: float = 6.5) -> None:
        """A marker; its shape follows from `kind`."""
        s = size
        shapes = (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{s}" {{}}/>',
            f'<rect x="{x - s:.1f}" y="{y - s:.1f}" width="{2 * s}" height="{2 * s}" {{}}/>',
            f'<polygon points="{x:.1f},{y - s:.1f} {x + s:.1f},{y + s:.1f} {x - s:.1f},{y + s:.1f}"'
            " {}/>",
            f'<polygon points="{x:.1f},{y - s:.1f} {x + s:.1f},{y:.1f} {x:.1f},{y + s:.1f} '
            f'{x - s:.1f},{y:.1f}" {{}}/>',
            f'<polygon points="{x:.1f},{y + s:.1f} {x + s:.1f},{y - s:.1f} {x - s:.1f},{y - s:.1f}"'
            " {}/>",
        )
        self._parts.append(
            shapes[kind % len(shapes)].format(f'fill="{colour}" stroke="white" stroke-width="1"')
        )

    def path(self, points: list[tuple[float, float]], colour: str) -> None:
        """A dashed line through points."""
        told = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(
            f'<polyline points="{told}" fill="none" stroke="{colour}" stroke-width="1.5" '
            'stroke-dasharray="6 4"/>'
        )

    def __str__(self) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" role="img" font-family="{FONT}">'
            f"<title>{escape(self._described)}</title>"
            f'<rect width="{self.width}" height="{self.height}" fill="white"/>'
            f"{''.join(self._parts)}</svg>"
        )
