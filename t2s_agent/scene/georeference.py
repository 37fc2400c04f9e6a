"""Where pixels are: pixel to CRS by an affine transform or ground control points, and on to WGS 84."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.transform import GCPTransformer

from t2s_agent.errors import T2SError

Floats = NDArray[np.float64]
WGS84 = pyproj.Geod(ellps="WGS84")
_FAR_LEFT_DEG = 10.0
_EARTH_RADIUS_M = (6_330_000.0, 6_400_000.0)  # of any ellipsoid or sphere that means this planet


@dataclass(frozen=True, slots=True)
class Georeference:
    """Pixel positions (x right, y down, continuous, origin at the outer corner of the first pixel) to the ground.

    `crs` None, or neither transform nor control points: not located, positions are pixels and nothing else.
    """

    crs: CRS | None = None
    transform: Affine | None = None
    gcps: tuple[GroundControlPoint, ...] = ()

    @property
    def located(self) -> bool:
        """Whether pixels have a longitude and latitude on Earth."""
        return self.unlocated_because == ""

    @property
    def unlocated_because(self) -> str:
        """Why pixels have no place on Earth; empty where they have."""
        if self.crs is None:
            return "the image has no coordinate reference system"
        if self.transform is None and not self.gcps:
            return "the image has neither a transform nor ground control points"
        if not _on_earth(self.crs.to_wkt()):
            return "the image's coordinate reference system is not on Earth"
        return ""

    def to_world(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Pixels to the CRS's own coordinates, element by element."""
        x, y = _floats(x), _floats(y)
        if self.transform is not None:
            t = self.transform
            return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
        if self.gcps:
            return self._by_gcps("xy", y, x)
        raise self._unlocated()

    def to_pixel(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """The CRS's own coordinates to pixels, element by element."""
        x, y = _floats(x), _floats(y)
        if self.transform is not None:
            t = ~self.transform
            return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
        if self.gcps:
            rows, columns = self._by_gcps("rowcol", x, y)
            return columns, rows
        raise self._unlocated()

    def to_lonlat(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Pixels to WGS 84 degrees, element by element; infinite where a pixel lies beside the Earth.

        Raises `no_georeference` where the image is not located.
        """
        lon, lat = self._transform(*self.to_world(*self._checked(x, y)), "FORWARD")
        return np.where(np.abs(lon) > 180, (lon + 180) % 360 - 180, lon), lat

    def from_lonlat(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
        """WGS 84 degrees to pixels, element by element. Raises `no_georeference` where the image is not located."""
        x, y = self._transform(*self._checked(lon, lat), "INVERSE")
        if self.crs is not None and self.crs.is_geographic and self.transform is not None:
            # a raster in degrees may run on beyond 180, or from 0 to 360: what lies far left of it is meant to its right
            x = np.where(x < self.transform.c - _FAR_LEFT_DEG, x + 360, x)
        return self.to_pixel(x, y)

    def gsd_m(self, x: float, y: float) -> float | None:
        """Metres on the ground that a pixel at (x, y) measures, the square root of its area; None where unknown."""
        if not self.located:
            return None
        lon, lat = self.to_lonlat([x - 0.5, x + 0.5, x, x], [y, y, y - 0.5, y + 0.5])
        if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
            return None
        _, _, across = WGS84.inv(lon[0], lat[0], lon[1], lat[1])
        _, _, down = WGS84.inv(lon[2], lat[2], lon[3], lat[3])
        azimuth_across = WGS84.inv(lon[0], lat[0], lon[1], lat[1])[0]
        azimuth_down = WGS84.inv(lon[2], lat[2], lon[3], lat[3])[0]
        between = abs(np.sin(np.radians(azimuth_down - azimuth_across)))
        return float(np.sqrt(across * down * between)) or None

    def bounds_lonlat(self, width: int, height: int) -> tuple[float, float, float, float] | None:
        """West, south, east, north in degrees of a picture of that size; None where it is not located.

        West > east across 180 degrees. What lies beside the Earth is left out.
        """
        if not self.located:
            return None
        along = np.linspace(0, 1, 21)
        x = np.concatenate([along, along, np.zeros(21), np.ones(21), [0.5]]) * width
        y = np.concatenate([np.zeros(21), np.ones(21), along, along, [0.5]]) * height
        lon, lat = self.to_lonlat(x, y)
        seen = np.isfinite(lon) & np.isfinite(lat)
        if not seen.any():
            return None
        lon, lat = lon[seen], lat[seen]
        if lon.max() - lon.min() > 180:  # it lies across the antimeridian
            lon = np.where(lon < 0, lon + 360, lon)
        west, east = float(lon.min()), float(lon.max())
        return _wrapped(west), float(lat.min()), _wrapped(east), float(lat.max())

    def resized(self, window: Sequence[float], width: int, height: int) -> "Georeference":
        """The georeference of a picture of `width` x `height` pixels that shows `window` (x, y, width, height)."""
        wx, wy, ww, wh = window
        sx, sy = ww / width, wh / height
        gcps = tuple(
            GroundControlPoint((p.row - wy) / sy, (p.col - wx) / sx, p.x, p.y, p.z, p.id, p.info) for p in self.gcps
        )
        transform = self.transform and self.transform @ Affine(sx, 0, wx, 0, sy, wy)
        return replace(self, transform=transform, gcps=gcps)

    def _checked(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        if not self.located:
            raise self._unlocated()
        return _floats(x), _floats(y)

    def _unlocated(self) -> T2SError:
        why = self.unlocated_because or "the image has neither a transform nor ground control points"
        return T2SError("no_georeference", why, "Give positions in pixels, or an image with a georeference")

    def _by_gcps(self, method: str, a: Floats, b: Floats) -> tuple[Floats, Floats]:
        with GCPTransformer(list(self.gcps)) as transformer:
            # rasterio adds half a pixel for "center"; "ul" is the identity on continuous positions
            if method == "xy":
                first, second = transformer.xy(a.ravel(), b.ravel(), offset="ul")
            else:
                first, second = transformer.rowcol(a.ravel(), b.ravel(), op=lambda v: v)
        return np.reshape(_floats(first), a.shape), np.reshape(_floats(second), a.shape)

    def _transform(self, x: Floats, y: Floats, direction: str) -> tuple[Floats, Floats]:
        wkt = self.crs.to_wkt() if self.crs else ""
        first, second = _transformer(wkt).transform(x, y, direction=direction)
        return _floats(first), _floats(second)


def _wrapped(lon: float) -> float:
    return lon - 360 if lon > 180 else lon


def _floats(values: Any) -> Floats:
    return np.atleast_1d(np.asarray(values, dtype=np.float64))


@lru_cache(maxsize=32)
def _transformer(wkt: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(pyproj.CRS.from_wkt(wkt), pyproj.CRS.from_epsg(4326), always_xy=True)


@lru_cache(maxsize=32)
def _on_earth(wkt: str) -> bool:
    crs = pyproj.CRS.from_wkt(wkt)
    ellipsoid = crs.ellipsoid
    if ellipsoid is None or (crs.geodetic_crs is None):
        return False  # an engineering CRS: metres from nowhere
    low, high = _EARTH_RADIUS_M
    return bool(low < ellipsoid.semi_major_metre < high)
