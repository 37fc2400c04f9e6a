"""Covers a grid of any size with overlapping tiles. Everything about one tile is computed when asked; no list of tiles is kept."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from t2s_agent.errors import T2SError

Box = tuple[int, int, int, int]  # x1, y1, x2, y2 in grid pixels; x2 and y2 are exclusive
LARGEST_GRID = 2**31 - 1  # pixels of a side


@dataclass(frozen=True, slots=True)
class Tile:
    """One window of the grid, in grid pixels. `index` counts from 0, row by row."""

    index: int
    x: int
    y: int
    width: int
    height: int

    @property
    def box(self) -> Box:
        return self.x, self.y, self.x + self.width, self.y + self.height


@dataclass(frozen=True, slots=True)
class Tiling:
    """Square tiles of side `tile` over a grid of `width` x `height` pixels; tiles side by side share `overlap` pixels.

    A tile that would reach over the border of the grid is moved inwards: it keeps its size and shares more with the tile before.
    A side of the grid that is shorter than a tile has one row or column of tiles, as long as that side. `origin` (dx, dy) shifts
    the pattern: tiles then begin at dx, dx + stride, ..., with one more at the border. Raises `argument_invalid` for sizes that
    are no tiling.
    """

    width: int
    height: int
    tile: int = 1024
    overlap: int = 128
    origin: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        for name, value in (("width", self.width), ("height", self.height), ("tile", self.tile)):
            if not 1 <= value <= LARGEST_GRID:
                raise T2SError(
                    "argument_invalid",
                    f"a tiling cannot have {name} = {value:,}",
                    f"Give whole pixels from 1 to {LARGEST_GRID:,}",
                )
        if not 0 <= 2 * self.overlap < self.tile:
            raise T2SError(
                "argument_invalid",
                f"tiles of {self.tile:,} px cannot overlap by {self.overlap:,} px",
                f"Give an overlap from 0 to less than half of the tile, {(self.tile - 1) // 2:,} px",
            )

    @property
    def columns(self) -> int:
        return self._across.count

    @property
    def rows(self) -> int:
        return self._down.count

    def __len__(self) -> int:
        """The number of tiles."""
        return self.columns * self.rows

    def __getitem__(self, index: int) -> Tile:
        """The tile with this index. Raises IndexError for one that does not exist."""
        if not 0 <= index < len(self):
            raise IndexError(f"there is no tile {index}: the tiling has {len(self)}")
        across, down = self._across, self._down
        row, column = divmod(index, across.count)
        return Tile(index, across.start(column), down.start(row), across.length, down.length)

    def __iter__(self) -> Iterator[Tile]:
        return (self[index] for index in range(len(self)))

    def tiles_at(self, box: Box) -> Iterator[Tile]:
        """The tiles that share pixels with a box, in the order of their indexes."""
        x1, y1, x2, y2 = box
        columns, rows = self._across.meeting(x1, x2), self._down.meeting(y1, y2)
        return (self[row * self.columns + column] for row in rows for column in columns)

    def neighbours(self, index: int) -> tuple[Tile, ...]:
        """The other tiles that share pixels with a tile, in the order of their indexes."""
        return tuple(tile for tile in self.tiles_at(self[index].box) if tile.index != index)

    def cell(self, index: int) -> Box:
        """The pixels for which this tile's inner edges are the furthest away. The cells of all tiles cover each pixel once.

        Between two tiles it ends in the middle of what they share; at the border of the grid it ends with the grid.
        """
        row, column = divmod(index, self.columns)
        (x1, x2), (y1, y2) = self._across.cell(column), self._down.cell(row)
        return x1, y1, x2, y2

    def inner_edges(self, index: int) -> tuple[int | None, int | None, int | None, int | None]:
        """x1, y1, x2, y2 of the tile; None for an edge on the border of the grid, where nothing is cut."""
        x1, y1, x2, y2 = self[index].box
        return (
            x1 if x1 > 0 else None,
            y1 if y1 > 0 else None,
            x2 if x2 < self.width else None,
            y2 if y2 < self.height else None,
        )

    @property
    def _across(self) -> "_Axis":
        return _Axis(self.width, self.tile, self.overlap, self.origin[0])

    @property
    def _down(self) -> "_Axis":
        return _Axis(self.height, self.tile, self.overlap, self.origin[1])


@dataclass(frozen=True, slots=True)
class _Axis:
    """The tiles along one side of the grid."""

    size: int
    tile: int
    overlap: int
    origin: int

    @property
    def length(self) -> int:
        return min(self.tile, self.size)

    @property
    def stride(self) -> int:
        return self.tile - self.overlap

    @property
    def first(self) -> int:
        """Where the pattern's first tile begins, at or before the border; it is then moved to the border."""
        shift = self.origin % self.stride
        return shift - self.stride if shift else 0

    @property
    def count(self) -> int:
        return 1 if self.size <= self.tile else 1 + -(-(self.size - self.tile - self.first) // self.stride)

    def start(self, position: int) -> int:
        return min(max(self.first + position * self.stride, 0), self.size - self.length)

    def meeting(self, low: int, high: int) -> range:
        """The positions of tiles that share pixels with `low` to `high` (exclusive)."""
        low, high = max(low, 0), min(high, self.size)
        if low >= high:
            return range(0)
        every = range(self.count)
        return range(
            bisect_right(every, low, key=lambda i: self.start(i) + self.length),
            bisect_left(every, high, key=self.start),
        )

    def cell(self, position: int) -> tuple[int, int]:
        return self._middle(position - 1), self._middle(position)

    def _middle(self, position: int) -> int:
        """The middle of what a tile and the next one share: the end of the tile's cell."""
        if position < 0:
            return 0
        if position + 1 >= self.count:
            return self.size
        return (self.start(position + 1) + self.start(position) + self.length + 1) // 2
