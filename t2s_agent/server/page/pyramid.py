"""Divides a scene into square tiles at resolutions of powers of two, in pixels of the scene."""

import math
from dataclasses import dataclass

from t2s_agent.errors import T2SError
from t2s_agent.scene import Window

TILE = 512  # px: a quarter of the requests of the usual 256, and still a small read


@dataclass(frozen=True, slots=True)
class Cell:
    """One tile: its window of the scene, and how many scene pixels a pixel of the tile covers."""

    window: Window
    resolution: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture; `TILE` but at the right and lower edge of the scene."""
        return math.ceil(self.window.width / self.resolution), math.ceil(self.window.height / self.resolution)


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The tiles of a scene of `width` x `height` px. Level 0 is one tile with all of it, the last has the scene's own pixels."""

    width: int
    height: int

    @property
    def levels(self) -> int:
        """The number of levels."""
        return max(0, math.ceil(math.log2(max(self.width, self.height) / TILE))) + 1

    def cell(self, z: int, x: int, y: int) -> Cell:
        """The tile in column `x` and row `y` of level `z`. Raises `bbox_outside` where there is none."""
        resolution = 2 ** (self.levels - 1 - z) if 0 <= z < self.levels else 0
        side = TILE * resolution
        left, top = x * side, y * side
        if not resolution or not (0 <= left < self.width and 0 <= top < self.height):
            raise T2SError(
                "bbox_outside",
                f"there is no tile {z}/{x}/{y}",
                f"The scene has {self.width} x {self.height} px and {self.levels} levels",
            )
        return Cell(Window(left, top, min(side, self.width - left), min(side, self.height - top)), resolution)
