"""Computes tables of the perimeter's bias and spread, and of how often the true length and area are inside plus/minus."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.measures.estimators import available, ours
from evals.measures.shapes import ANGLES, MAIN_SHAPES, OTHER_SHAPES, Shape, disc

SIZES = (5.0, 10.0, 20.0, 40.0, 100.0, 400.0)
_SIZE_VARIATION = (
    0.05  # sizes vary by five per cent around the nominal one, so that whole pixels are not a special case
)


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Masks of one shape, one angle (NaN: a random one each) and one size; arrays (n,) in pixels."""

    shape: str
    degrees: float
    size: float
    length: NDArray[np.float64]
    estimate: NDArray[np.float64]
    plus_minus: NDArray[np.float64]
    area: NDArray[np.float64]
    counted: NDArray[np.float64]
    alternatives: dict[str, NDArray[np.float64]]

    @property
    def bias(self) -> float:
        """Mean relative error of the length."""
        return float(np.mean(self.estimate / self.length - 1))

    @property
    def spread(self) -> float:
        """Standard deviation of the relative error of the length."""
        return float(np.std(self.estimate / self.length - 1))


def measure_cells(
    seed: int = 0, masks: int = 40, sizes: Iterable[float] = SIZES, *, compare: bool = True
) -> list[Cell]:
    """Returns the cells of all shapes and angles, with `masks` masks of each small size and fewer of large ones."""
    shapes: list[tuple[str, Shape, float]] = [("disc", disc, float("nan"))]
    shapes += [(name, draw, angle) for name, draw in MAIN_SHAPES.items() for angle in (*ANGLES, float("nan"))]
    shapes += [(name, draw, float("nan")) for name, draw in OTHER_SHAPES.items()]
    cells = []
    for size in sizes:
        for index, (name, draw, degrees) in enumerate(shapes):
            rng = np.random.default_rng((seed, index, round(size * 10)))
            cells.append(_cell(name, draw, degrees, size, _count(masks, size, name), rng, compare))
    return cells


def _count(masks: int, size: float, name: str) -> int:
    """Returns the number of masks: fewer large ones, because their relative errors vary little and drawing them is slow."""
    pixels = size * (10 if name == "10:1" else 2)
    return (
        max(2, masks if name not in OTHER_SHAPES else masks // 2) if pixels <= 100 else max(2, int(masks * 30 / pixels))
    )


def _cell(
    name: str, draw: Shape, degrees: float, size: float, count: int, rng: np.random.Generator, compare: bool
) -> Cell:
    others = available() if compare and size <= 100 else {}
    rows = []
    for _ in range(count):
        angle = rng.uniform(0, 90) if np.isnan(degrees) else degrees
        drawn = draw(size * rng.uniform(1 - _SIZE_VARIATION, 1 + _SIZE_VARIATION), angle, rng)
        estimate = ours(drawn.mask)
        row = [drawn.length, estimate.value, estimate.plus_minus, drawn.area, np.count_nonzero(drawn.mask)]
        rows.append(row + [other(drawn.mask) for other in others.values()])
    length, estimates, plus_minus, area, counted, *rest = np.array(rows, np.float64).T
    alternatives = dict(zip(others, rest, strict=True))
    return Cell(name, degrees, size, length, estimates, plus_minus, area, counted, alternatives)


def report(cells: list[Cell]) -> str:
    """Returns the tables as text."""
    sizes = sorted({cell.size for cell in cells})
    lines = ["Perimeter: mean error and its standard deviation, per cent", _row("size, px", [f"{s:g}" for s in sizes])]
    for shape, degrees in dict.fromkeys((cell.shape, str(cell.degrees)) for cell in cells):
        own = {cell.size: cell for cell in cells if cell.shape == shape and str(cell.degrees) == degrees}
        name = f"{shape} {'' if shape == 'disc' else 'any angle' if degrees == 'nan' else degrees}"
        lines.append(
            _row(name, [f"{100 * own[s].bias:+.2f} {100 * own[s].spread:.2f}" if s in own else "" for s in sizes])
        )
    lines += [
        "",
        "Perimeter: share inside the plus/minus, median half-width in per cent, half-width / root mean square error",
    ]
    lines += _coverage_rows(cells, sizes, lambda c: (c.estimate - c.length, c.plus_minus, c.length))
    lines += ["", "Area (half a pixel along the estimated boundary): the same"]
    lines += _coverage_rows(cells, sizes, lambda c: (c.counted - c.area, c.estimate / 2, c.area))
    lines += ["", "Largest mean error of the perimeter over discs, squares and rectangles (all angles), per cent"]
    judged = [cell for cell in cells if cell.shape not in OTHER_SHAPES]
    for name in ("ours", *dict.fromkeys(name for cell in judged for name in cell.alternatives)):
        worst = []
        for size in sizes:
            found = [
                (cell.estimate if name == "ours" else cell.alternatives[name]) / cell.length - 1
                for cell in judged
                if cell.size == size and (name == "ours" or name in cell.alternatives)
            ]
            worst.append(f"{100 * max((np.mean(each) for each in found), key=abs):+.2f}" if found else "")
        lines.append(_row(name, worst))
    return "\n".join(lines)


def _coverage_rows(
    cells: list[Cell], sizes: list[float], of: Callable[[Cell], tuple[NDArray[np.float64], ...]]
) -> Iterable[str]:
    """Yields a row for each kind of shape, and one for all main shapes together."""
    names = list(dict.fromkeys(cell.shape for cell in cells))
    groups = {name: [cell for cell in cells if cell.shape == name] for name in names}
    judged = {"discs to 10:1": [cell for cell in cells if cell.shape not in OTHER_SHAPES]}
    for name, group in {**groups, **judged}.items():
        row = []
        for size in (*sizes, None):
            found = [of(cell) for cell in group if size in (cell.size, None)]
            if not found:
                row.append("")
                continue
            error, half, whole = (np.concatenate(each) for each in zip(*found, strict=True))
            ratio = np.median(half) / np.sqrt(np.mean(error**2))
            row.append(f"{np.mean(np.abs(error) <= half):.2f} {100 * np.median(half / whole):.1f}% {ratio:.1f}")
        yield _row(name, row)


def _row(name: str, columns: list[str]) -> str:
    return f"{name:42}" + "".join(f"{column:>16}" for column in columns)
