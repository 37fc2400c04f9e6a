"""Defines the View, the picture that models see, with its georeference; and the Grid, the same without pixels."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from t2s_agent.scene.georeference import Georeference


class Window(NamedTuple):
    """A rectangle of scene pixels: left and upper edge, width and height."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The picture that a model sees. x right, y down, pixel (0, 0) covers [0, 1) x [0, 1).

    `rgb` is uint8 (H, W, 3), stretched; `valid` is bool (H, W), False for nodata; `georeference` converts View
    pixels to the ground; `window` is the part of the scene that it shows, in scene pixels; `gsd_m` is the size of
    one View pixel on the ground in metres (None without a georeference); `bands` are the scene's bands, counted
    from 1, shown as red, green and blue; numbers below 0 are decibels (`scene.decibels`).
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    georeference: Georeference
    window: Window
    gsd_m: float | None
    bands: tuple[int, int, int]

    @classmethod
    def without_pixels(
        cls,
        width: int,
        height: int,
        georeference: Georeference,
        window: Window,
        gsd_m: float | None,
        bands: tuple[int, int, int],
    ) -> "View":
        """A View of that size that is black and valid everywhere and takes no memory, for what needs its place alone."""
        pixels = np.broadcast_to(np.zeros(3, np.uint8), (height, width, 3))
        valid = np.broadcast_to(np.True_, (height, width))
        return cls(pixels, valid, georeference, window, gsd_m, bands)

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    def digest(self) -> str:
        """SHA-256 of size, pixels and validity."""
        sha = hashlib.sha256(f"{self.height}x{self.width}".encode())
        sha.update(self.rgb.tobytes())
        sha.update(np.packbits(self.valid).tobytes())
        return sha.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The pixels of a scene at one resolution, without their values: where windows of the scene are put together.

    Grid pixels are `step` scene pixels a side, so `window` (scene pixels) is `width * step` x `height * step`, and each
    part of the grid is a window of whole scene pixels.
    """

    georeference: Georeference
    window: Window
    width: int
    height: int
    step: int
    gsd_m: float | None

    def window_of(self, x: int, y: int, width: int, height: int) -> Window:
        """The scene pixels of a part of the grid."""
        return Window(
            self.window.x + x * self.step, self.window.y + y * self.step, width * self.step, height * self.step
        )


Picture = View | Grid  # what has a size in pixels and a place
