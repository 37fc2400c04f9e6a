"""Where pixels are: pixel to CRS by an affine transform or ground control points, and on to WGS 84."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Georeference:
    """The contract; see its methods. `crs` None: not located, positions are pixels."""

    crs: CRS | None = None
    transform: Affine | None = None
    gcps: tuple[GroundControlPoint, ...] = ()

    def to_world(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]: ...
    def to_pixel(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]: ...
    def to_lonlat(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]: ...
    def from_lonlat(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]: ...
    def resized(self, window: Any, width: int, height: int) -> "Georeference": ...
