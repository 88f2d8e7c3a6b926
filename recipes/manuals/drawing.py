"""Line drawings as SVG: the few strokes that a manual is drawn with, in units of the drawing's own view box."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import atan2, cos, radians, sin

INK = "#1f2328"
LIGHT, MIDDLE, DARK = "#f3f4f6", "#d9dce1", "#9aa1ab"
RED, GREEN, AMBER, BLUE = "#c62828", "#2e7d32", "#ef8f00", "#2f6fb5"


class Drawing:
    """``labels`` are the few words that stand in drawings, ``callouts=False`` leaves the numbers out (for a cover)."""

    def __init__(
        self,
        width: float,
        height: float,
        *,
        font: str,
        tint: str,
        labels: Mapping[str, str],
        callouts: bool = True,
    ) -> None:
        self.width, self.height = width, height
        self.font, self.tint, self.labels, self.callouts = font, tint, labels, callouts
        self._parts: list[str] = []
        self._words: list[tuple[float, float, float, str, str]] = []

    def html(self, width_mm: float) -> str:
        """An SVG with the words of the manual's language laid over it as HTML: WeasyPrint sets text in an SVG letter by
        letter, which breaks Arabic and Hindi."""
        scale = width_mm / self.width
        size = f"width: {width_mm:g}mm; height: {self.height * scale:.2f}mm"
        words = "".join(
            f'<div class="word" style="left: {x * scale - 25:.2f}mm; top: {(y - 0.89 * points) * scale:.2f}mm; '
            f'font-size: {points * scale:.2f}mm; color: {fill}">{escape(word)}</div>'
            for x, y, points, fill, word in self._words
        )
        return (
            f'<div class="drawing" style="{size}"><svg viewBox="0 0 {self.width:g} {self.height:g}" style="{size}">'
            f"{''.join(self._parts)}</svg>{words}</div>"
        )

    def path(self, d: str, *, fill: str = "none", stroke: str = INK, width: float = 1.3, dash: str = "",
             cap: str = "round") -> None:  # fmt: skip
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<path d="{d}" fill="{fill}" stroke="{stroke}" stroke-width="{width:g}" '
            f'stroke-linejoin="round" stroke-linecap="{cap}"{dashed}/>'
        )

    def line(self, x0: float, y0: float, x1: float, y1: float, *, stroke: str = INK, width: float = 1.3,
             dash: str = "") -> None:  # fmt: skip
        self.path(f"M{x0:.2f} {y0:.2f}L{x1:.2f} {y1:.2f}", stroke=stroke, width=width, dash=dash)

    def box(self, x: float, y: float, width: float, height: float, *, round: float = 0, fill: str = LIGHT,
            stroke: str = INK, line: float = 1.3) -> None:  # fmt: skip
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round:g}" ry="{round:g}" '
            f'fill="{fill}" stroke="{stroke}" stroke-width="{line:g}"/>'
        )

    def oval(self, x: float, y: float, rx: float, ry: float | None = None, *, fill: str = LIGHT, stroke: str = INK,
             line: float = 1.3) -> None:  # fmt: skip
        self._parts.append(
            f'<ellipse cx="{x:.2f}" cy="{y:.2f}" rx="{rx:g}" ry="{rx if ry is None else ry:g}" '
            f'fill="{fill}" stroke="{stroke}" stroke-width="{line:g}"/>'
        )

    def text(
        self, x: float, y: float, words: str, *, size: float = 11, fill: str = INK, bold: bool = False
    ) -> None:
        """Centred at x, on the base line y."""
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="middle" font-size="{size:g}" fill="{fill}" '
            f'font-family="{self.font}"{weight}>{escape(words)}</text>'
        )

    def word(self, x: float, y: float, label: str, *, size: float = 11, fill: str = INK) -> None:
        """A word of the manual's language, by its name in ``labels``."""
        self._words.append((x, y, size, fill, self.labels[label]))

    def callout(self, mark: str | int, x: float, y: float, to_x: float, to_y: float) -> None:
        """A numbered circle at (x, y) with a leader to what it names."""
        if not self.callouts:
            return
        angle = atan2(to_y - y, to_x - x)
        self.line(x + 9 * cos(angle), y + 9 * sin(angle), to_x, to_y, width=0.8)
        self.oval(to_x, to_y, 1.8, fill=INK, line=0)
        self.oval(x, y, 9, fill="#ffffff", stroke=self.tint, line=1.4)
        self.text(x, y + 3.8, str(mark), size=10.5, bold=True)

    def arrow(
        self, x0: float, y0: float, x1: float, y1: float, *, stroke: str = RED, width: float = 2.4
    ) -> None:
        angle = atan2(y1 - y0, x1 - x0)
        self.line(x0, y0, x1 - 4 * cos(angle), y1 - 4 * sin(angle), stroke=stroke, width=width)
        self._head(x1, y1, angle, stroke)

    def turn(self, x: float, y: float, radius: float, start: float, end: float, *, stroke: str = RED) -> None:
        """An arrow along an arc; degrees, clockwise from three o'clock as the page is read."""
        self.path(arc(x, y, radius, start, end), stroke=stroke, width=2.4)
        tip = radians(end)
        along = tip + radians(90 if end > start else -90)
        self._head(
            x + radius * cos(tip) + 3 * cos(along), y + radius * sin(tip) + 3 * sin(along), along, stroke
        )

    def _head(self, x: float, y: float, angle: float, fill: str) -> None:
        wings = [(x + 9 * cos(angle + side), y + 9 * sin(angle + side)) for side in (2.7, -2.7)]
        points = "L".join(f"{px:.2f} {py:.2f}" for px, py in [(x, y), *wings])
        self.path(f"M{points}Z", fill=fill, stroke=fill, width=0.6)

    def measure(
        self, x0: float, y0: float, x1: float, y1: float, words: str, *, dx: float = 0, dy: float = -5
    ) -> None:
        """A dimension line with a head at both ends and its length beside the middle."""
        angle = atan2(y1 - y0, x1 - x0)
        self.line(x0, y0, x1, y1, stroke=self.tint, width=1)
        self._head(x1, y1, angle, self.tint)
        self._head(x0, y0, angle + radians(180), self.tint)
        self.text((x0 + x1) / 2 + dx, (y0 + y1) / 2 + dy, words, size=11, fill=self.tint, bold=True)


def arc(x: float, y: float, radius: float, start: float, end: float) -> str:
    """The path of an arc; degrees, clockwise from three o'clock as the page is read."""
    a, b = radians(start), radians(end)
    large, sweep = int(abs(end - start) > 180), int(end > start)
    return (
        f"M{x + radius * cos(a):.2f} {y + radius * sin(a):.2f}"
        f"A{radius:g} {radius:g} 0 {large} {sweep} {x + radius * cos(b):.2f} {y + radius * sin(b):.2f}"
    )
