"""Defines the View: the picture that models see, with its georeference."""

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
    from 1, shown as red, green and blue.
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    georeference: Georeference
    window: Window
    gsd_m: float | None
    bands: tuple[int, int, int]

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
