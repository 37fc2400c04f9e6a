"""Line and interval charts as SVG text, in the page's colours, so that they fit light and dark alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 460, 280, 46, 12, 10, 40
COLOURS = ("var(--c0)", "var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)", "var(--c5)")


_Place = Callable[[float, float], tuple[float, float]]  # from values to pixels of the drawing


@dataclass(frozen=True, slots=True)
class Point:
    """A place on a chart; `low` and `high` bound y where an interval is known."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Points that belong together, with the name that the legend gives them."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one pair of axes. `ticks` name places on the x axis; `diagonal` draws y = x, as a reliability curve needs."""

    title: str
    x: str
    y: str
    lines: Sequence[Line]
    ticks: Sequence[tuple[float, str]] = field(default=())
    y_range: tuple[float, float] = (0.0, 1.0)
    diagonal: bool = False
    joined: bool = True

    def svg(self) -> str:
        """The chart as an SVG element."""
        xs = [p.x for line in self.lines for p in line.points] + [x for x, _ in self.ticks]
        low, high = (min(xs), max(xs)) if xs else (0.0, 1.0)
        if not self.joined:
            low, high = low - 0.5, high + 0.5
        span = high - low or 1.0

        def place(x: float, y: float) -> tuple[float, float]:
            bottom, top = self.y_range
            share = min(max((y - bottom) / (top - bottom), 0.0), 1.0)
            return LEFT + (x - low) / span * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

        parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.title)}">']
        for step in range(6):
            value = self.y_range[0] + (self.y_range[1] - self.y_range[0]) * step / 5
            _, y = place(low, value)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
        for at, name in self.ticks or [(low + span * step / 5, f"{low + span * step / 5:.3g}") for step in range(6)]:
            x, _ = place(at, 0)
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{escape(name)}</text>')
        parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(self.x)}</text>')
        if self.diagonal:
            (x1, y1), (x2, y2) = place(low, low), place(high, high)
            parts.append(f'<line class="diagonal" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')
        for number, line in enumerate(self.lines):
            parts += self._line(line, COLOURS[number % len(COLOURS)], number, place)
        return "".join([*parts, "</svg>"])

    def _line(self, line: Line, colour: str, number: int, place: _Place) -> list[str]:
        shift = 0.0 if self.joined else (number - (len(self.lines) - 1) / 2) * 9
        places = [(place(p.x, p.y), p) for p in line.points]
        parts = []
        if self.joined and places:
            path = " ".join(f"{x:.1f},{y:.1f}" for (x, y), _ in places)
            parts.append(f'<polyline points="{path}" style="stroke:{colour}"/>')
        for (x, y), point in places:
            if point.low is not None and point.high is not None:
                (_, y1), (_, y2) = place(point.x, point.low), place(point.x, point.high)
                parts.append(
                    f'<line class="whisker" x1="{x + shift:.1f}" x2="{x + shift:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" '
                    f'style="stroke:{colour}"/>'
                )
            if not self.joined or len(places) < 30:
                parts.append(f'<circle cx="{x + shift:.1f}" cy="{y:.1f}" r="3" style="fill:{colour}"/>')
        return parts

    def legend(self) -> list[tuple[str, str]]:
        """Colour and name of each line."""
        return [(COLOURS[i % len(COLOURS)], line.name) for i, line in enumerate(self.lines)]
