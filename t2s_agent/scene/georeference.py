"""Converts pixel positions to coordinates of the CRS (affine transform or ground control points) and to WGS 84."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from pyproj.exceptions import ProjError
from rasterio._err import CPLE_BaseError
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.transform import GCPTransformer

from t2s_agent.errors import T2SError
from t2s_agent.scene import proj_data

Floats = NDArray[np.float64]
WGS84 = pyproj.Geod(ellps="WGS84")
_FAR_LEFT_DEG = 10.0
_EARTH_RADIUS_M = (
    6_330_000.0,
    6_400_000.0,
)  # range of the semi-major axes of ellipsoids and spheres used for the Earth
_GRID = 65  # a picture is sampled at 65 x 65 positions
_POLE_DEG = 1e-9  # a latitude this close to 90 is the pole, where longitude is undefined
_MIN_CONFIDENCE = 90  # of 100: from here on GDAL's match of a CRS with a code includes the names
_MAX_LON = 540.0  # degrees: rasters may start at -180 or 0 and continue past 180 or 360


@dataclass(frozen=True, slots=True)
class Georeference:
    """Converts pixel positions (x right, y down, continuous, origin at the outer corner of the first pixel) to the ground.

    `unusable_because` says why pixels have no position on Earth although there is a CRS and a transform (see
    `georeference_of`). `centre_x` is the x of the scene's middle in the CRS: of longitudes that differ by 360 degrees, the
    nearest to it is used.
    """

    crs: CRS | None = None
    transform: Affine | None = None
    gcps: tuple[GroundControlPoint, ...] = ()
    unusable_because: str = ""
    centre_x: float | None = None

    @property
    def located(self) -> bool:
        """Whether pixels have a longitude and latitude. This alone decides between metres and pixels.

        If True, all measures are in metres (single pixels may still lie off the Earth, and are left out); if False, all are
        in pixels of the scene.
        """
        return self.unlocated_because == ""

    @property
    def unlocated_because(self) -> str:
        """Why pixels have no position on Earth; empty if they have one."""
        if self.unusable_because:
            return self.unusable_because
        if self.crs is None:
            named = proj_data.variables_set()
            return "the image has no coordinate reference system" + (
                f" that the PROJ data named by {named} know" if named else ""
            )
        if self.transform is None and not self.gcps:
            return "the image has neither a transform nor ground control points"
        if self.transform is not None and not _invertible(self.transform):
            return "the image's transform is degenerate"
        return _crs_facts(self.crs).not_on_earth

    def to_world(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Coordinates in the CRS of pixel positions, element by element."""
        x, y = _floats(x), _floats(y)
        if self.transform is not None:
            t = self.transform
            return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
        if self.gcps:
            return self._by_gcps("xy", y, x)
        raise self._unlocated()

    def to_pixel(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Pixel positions of coordinates in the CRS, element by element."""
        x, y = _floats(x), _floats(y)
        if self.transform is not None:
            t = ~self.transform
            with np.errstate(invalid="ignore"):
                return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
        if self.gcps:
            rows, columns = self._by_gcps("rowcol", x, y)
            return columns, rows
        raise self._unlocated()

    def to_lonlat(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Longitudes and latitudes (WGS 84, degrees) of pixel positions, element by element; infinite off the Earth.

        Raises `no_georeference` where the image is not located.
        """
        x, y = self.to_world(*self._checked(x, y))
        lon, lat = self._transform(x, y, "FORWARD")
        with np.errstate(invalid="ignore"):
            lon = np.where(np.abs(lon) > 180, (lon + 180) % 360 - 180, lon)
            # a raster in degrees with rows centred on the poles extends half a pixel beyond them
            lat = np.where((np.abs(lat) > 90) & (np.abs(lat) <= 90 + self._row_deg()), np.copysign(90, lat), lat)
            off_earth = ~np.isfinite(lon) | ~(np.abs(lat) <= 90)
        return np.where(off_earth, np.inf, lon), np.where(off_earth, np.inf, lat)

    def from_lonlat(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
        """Pixel positions of longitudes and latitudes (WGS 84, degrees), element by element; infinite outside the CRS's domain.

        Raises `no_georeference` where the image is not located.
        """
        x, y = self._transform(*self._checked(lon, lat), "INVERSE")
        if unit := self._unit_deg():
            # a raster in degrees may extend beyond 180, or from 0 to 360: choose the equivalent longitude nearest to its middle
            turn = 360 / unit
            middle = self.centre_x
            if middle is None:
                middle = self.transform.c + turn / 2 - _FAR_LEFT_DEG if self.transform else self.gcps[0].x
            x = x + turn * np.round((middle - x) / turn)
        return self.to_pixel(x, y)

    def gsd_m(self, x: float, y: float) -> float | None:
        """The ground sample distance at (x, y): the square root of a pixel's area, metres; None where unknown."""
        if not self.located:
            return None
        size = math.sqrt(float(self.pixel_areas_m2([x], [y])[0]))
        return size if math.isfinite(size) and size > 0 else None

    def pixel_areas_m2(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Areas on the ground (m2) of pixels centred at positions, element by element; NaN off the Earth."""
        x, y = _floats(x), _floats(y)
        xs, ys = np.concatenate([x - 0.5, x + 0.5, x, x]), np.concatenate([y, y, y - 0.5, y + 0.5])
        left, right, top, bottom = in_space(*self.to_lonlat(xs, ys)).reshape(4, len(x), 3)
        return np.asarray(np.linalg.norm(np.cross(right - left, bottom - top), axis=1))

    def typical_gsd_m(self, width: int, height: int) -> float | None:
        """The ground sample distance (metres) in the middle of a picture, or at the nearest sampled position on the Earth."""
        size = self.gsd_m(width / 2, height / 2)
        if size is not None or not self.located:
            return size
        x, y = (v.ravel() for v in _grid(width, height))
        nearest = np.argsort((x - width / 2) ** 2 + (y - height / 2) ** 2)
        on_earth = nearest[np.isfinite(self.to_lonlat(x[nearest], y[nearest])[0])]
        return next((size for i in on_earth[:200] if (size := self.gsd_m(x[i], y[i])) is not None), None)

    def off_earth(self, width: int, height: int) -> NDArray[np.bool_] | None:
        """The pixels (height, width) with a corner off the Earth, or outside the CRS's domain; None where there is none."""
        if not self.located:
            return None
        border_x = np.concatenate([np.arange(width + 1)] * 2 + [np.zeros(height + 1), np.full(height + 1, width)])
        border_y = np.concatenate([np.zeros(width + 1), np.full(width + 1, height)] + [np.arange(height + 1)] * 2)
        inner_x, inner_y = (v.ravel() for v in _grid(width, height))
        lon, _ = self.to_lonlat(np.concatenate([border_x, inner_x]), np.concatenate([border_y, inner_y]))
        if np.isfinite(lon).all():
            return None
        x, y = np.meshgrid(np.arange(width + 1.0), np.arange(height + 1.0))
        off = ~np.isfinite(self.to_lonlat(x.ravel(), y.ravel())[0]).reshape(x.shape)
        return np.asarray(off[:-1, :-1] | off[1:, :-1] | off[:-1, 1:] | off[1:, 1:])

    @property
    def linear_in_degrees(self) -> bool:
        """Whether a straight line in the picture is straight in longitude and latitude."""
        return self.transform is not None and self.crs is not None and _crs_facts(self.crs).linear

    @property
    def step_m(self) -> float:
        """The approximate size of a pixel in metres from the transform and the unit of the CRS; 0 where unknown."""
        if self.transform is None:
            return 0.0
        t = self.transform
        return float(max(math.hypot(t.a, t.d), math.hypot(t.b, t.e)) * (self._unit_deg() * 111_320.0 or 1.0))

    def unmirrored_at(self, x: float, y: float) -> bool:
        """Whether the rotation from the picture's x axis to its y axis is counter-clockwise, seen from above the Earth."""
        places = in_space(*self.to_lonlat([x - 0.25, x + 0.25, x, x], [y, y, y - 0.25, y + 0.25]))
        return bool(np.dot(np.cross(places[1] - places[0], places[3] - places[2]), places.mean(0)) > 0)

    def unrelated_datum(self, width: int, height: int) -> str:
        """The name of the CRS's datum where PROJ has no transformation from it to WGS 84 at the middle of a picture; else empty.

        PROJ then treats both as equal, which is wrong by up to a few hundred metres for old datums with another ellipsoid.
        Empty for modern ellipsoids, where the error is a few metres, and for spheres, where equal latitudes are intended.
        """
        if self.crs is None or not self.located:
            return ""
        system = _crs_facts(self.crs)
        if not system.old_datum or system.transformer is None:
            return ""
        system.transformer.transform(*self.to_world(width / 2, height / 2))
        used = system.transformer.get_last_used_operation().description or ""
        return system.old_datum if "Ballpark geographic offset" in used else ""

    @property
    def crs_name(self) -> str:
        """The CRS as a code such as EPSG:32631, else as WKT; empty without one.

        rasterio also returns codes of systems with another datum: "unknown, International 1924" becomes EPSG:23031, which is
        120 m away. So for an old datum a code is returned only with a confidence of at least `_MIN_CONFIDENCE`.
        """
        if self.crs is None:
            return ""
        confident = self.crs.to_authority(confidence_threshold=_MIN_CONFIDENCE)
        if confident:
            return ":".join(confident)
        return str(self.crs.to_wkt() if _old_datum(pyproj.CRS.from_wkt(self.crs.to_wkt())) else self.crs.to_string())

    def gcp_residuals_px(self) -> tuple[float, float]:
        """Residuals in pixels of the control points from the fitted transformation: root mean square, and maximum."""
        if self.transform is not None or not self.gcps or self.unlocated_because:
            return 0.0, 0.0
        x, y = self.to_pixel([point.x for point in self.gcps], [point.y for point in self.gcps])
        off = np.hypot(x - [point.col for point in self.gcps], y - [point.row for point in self.gcps])
        return float(np.sqrt(np.mean(off**2))), float(off.max())

    def pole_in_pixels(self, north: bool) -> tuple[float, float] | None:
        """The position of a pole in pixels; None where the CRS does not contain it, or shows it as a line."""
        if self.crs is None or not self.located:
            return None
        latitude = 90.0 if north else -90.0
        x, y = self.from_lonlat([0.0, 120.0, -120.0], [latitude] * 3)
        if not (np.isfinite(x).all() and np.isfinite(y).all()) or np.ptp(x) > 1e-3 or np.ptp(y) > 1e-3:
            return None
        lat = self.to_lonlat(x[:1], y[:1])[1]
        return (float(x[0]), float(y[0])) if np.isfinite(lat[0]) and abs(lat[0] - latitude) < 1e-6 else None

    def bounds_lonlat(self, width: int, height: int) -> tuple[float, float, float, float] | None:
        """West, south, east, north in degrees of a picture of `width` x `height` pixels; None where it is not located.

        West > east for a picture that crosses 180 degrees; -180 to 180 for a picture of all longitudes or with a pole inside.
        Pixels off the Earth are left out.
        """
        if not self.located:
            return None
        x, y = _grid(width, height)
        lon, lat = (v.reshape(x.shape) for v in self.to_lonlat(x.ravel(), y.ravel()))
        on_earth = np.isfinite(lon)
        if not on_earth.any():
            return None
        south, north = float(lat[on_earth].min()), float(lat[on_earth].max())
        for latitude in (90.0, -90.0):
            pole = self.pole_in_pixels(latitude > 0)
            if pole and 0 <= pole[0] <= width and 0 <= pole[1] <= height:
                south, north = min(south, latitude), max(north, latitude)
                if 0 < pole[0] < width and 0 < pole[1] < height:
                    return -180.0, south, 180.0, north
                lon[np.abs(lat) >= 90 - _POLE_DEG] = (
                    np.inf
                )  # a pole on the picture's edge: longitude is undefined there
        start, span = _longitudes(lon)
        # a world map with rounded edges has no sample near 180 degrees
        if span >= (360 - 1e-6 if on_earth.all() else 345):
            return -180.0, south, 180.0, north
        return _wrap_lon(start), south, _wrap_lon(start + span), north

    def points_in(self, bbox: Sequence[float], width: int, height: int) -> tuple[Floats, Floats]:
        """Of 65 x 65 positions in a picture, those inside a box (west, south, east, north in degrees), in pixels."""
        west, south, east, north = bbox
        x, y = (v.ravel() for v in _grid(width, height))
        lon, lat = self.to_lonlat(x, y)
        with np.errstate(invalid="ignore"):
            inside = (lat >= south) & (lat <= north)
            if east - west < 360:
                inside &= ((lon > west) & (lon < east)) if west <= east else ((lon > west) | (lon < east))
        return x[inside], y[inside]

    def resized(self, window: Sequence[float], width: int, height: int) -> "Georeference":
        """The georeference of a picture of `width` x `height` pixels that shows `window` (x, y, width, height)."""
        wx, wy, ww, wh = window
        sx, sy = ww / width, wh / height
        gcps = tuple(
            GroundControlPoint((p.row - wy) / sy, (p.col - wx) / sx, p.x, p.y, p.z, p.id, p.info) for p in self.gcps
        )
        transform = self.transform and self.transform @ Affine(sx, 0, wx, 0, sy, wy)
        return replace(self, transform=transform, gcps=gcps)

    def _row_deg(self) -> float:
        """The height of a pixel in degrees, of a raster in degrees; 0 for others."""
        return (
            self._unit_deg() * max(abs(self.transform.d), abs(self.transform.e)) if self.transform is not None else 0.0
        )

    def _unit_deg(self) -> float:
        """The unit of a geographic CRS in degrees; 0 for other systems."""
        return _crs_facts(self.crs).unit_deg if self.crs is not None else 0.0

    def _checked(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        if not self.located:
            raise self._unlocated()
        return _floats(x), _floats(y)

    def _unlocated(self) -> T2SError:
        why = self.unlocated_because or "the image has neither a transform nor ground control points"
        return T2SError("no_georeference", why, "Give positions in pixels, or an image with a georeference")

    def _by_gcps(self, method: str, a: Floats, b: Floats) -> tuple[Floats, Floats]:
        with GCPTransformer(list(self.gcps)) as transformer:
            # rasterio adds half a pixel for "center"; "ul" leaves continuous positions unchanged
            if method == "xy":
                first, second = transformer.xy(a.ravel(), b.ravel(), offset="ul")
            else:
                first, second = transformer.rowcol(a.ravel(), b.ravel(), op=lambda v: v)
        return np.reshape(_floats(first), a.shape), np.reshape(_floats(second), a.shape)

    def _transform(self, x: Floats, y: Floats, direction: str) -> tuple[Floats, Floats]:
        transformer = self.crs and _crs_facts(self.crs).transformer
        if transformer is None:
            raise self._unlocated()
        first, second = transformer.transform(x, y, direction=direction)
        return _floats(first), _floats(second)


def georeference_of(
    crs: CRS | None, transform: Affine | None, gcps: Sequence[GroundControlPoint], width: int, height: int
) -> Georeference:
    """The georeference of a scene of `width` x `height` pixels. If it cannot be correct, `unusable_because` gives the reason."""
    georeference = Georeference(crs, transform, tuple(gcps))
    if not georeference.located:
        return georeference
    if unit := georeference._unit_deg():
        georeference = replace(georeference, gcps=_unwrap_gcps(georeference.gcps, 360 / unit))
    x, y = (v.ravel() for v in _grid(width, height))
    try:
        world_x, world_y = georeference.to_world(x, y)
    except CPLE_BaseError as error:
        why = f"the image's ground control points do not say where it lies ({_first_line(error)})"
        return replace(georeference, gcps=(), unusable_because=why)
    try:
        lon, _ = georeference.to_lonlat(x, y)
    except (ProjError, ValueError) as error:
        return replace(
            georeference,
            unusable_because=f"the image's coordinate reference system cannot be used ({_first_line(error)})",
        )
    if unit and (
        np.abs(world_x).max() * unit > _MAX_LON or np.abs(world_y).max() * unit > 90 + georeference._row_deg()
    ):
        return replace(
            georeference, unusable_because="the image's coordinate reference system is in degrees, its transform is not"
        )
    if not np.isfinite(lon).any():
        return replace(
            georeference,
            unusable_because="no pixel of the image lies on Earth, by its coordinate reference system and transform",
        )
    return replace(georeference, centre_x=float(georeference.to_world(width / 2, height / 2)[0][0]))


def _unwrap_gcps(gcps: tuple[GroundControlPoint, ...], turn: float) -> tuple[GroundControlPoint, ...]:
    """Control points on both sides of 180 degrees with continuous longitudes: 179, 181 instead of 179, -179.

    `turn` is 360 degrees in the unit of the points. Points that span more than half of it are returned unchanged.
    """
    x = np.array([point.x for point in gcps])
    if x.size < 2 or np.ptp(x) <= turn / 2:
        return gcps
    east = np.where(x < 0, x + turn, x)
    if np.ptp(east) > turn / 2:
        return gcps
    moved = zip(gcps, east, strict=True)
    return tuple(GroundControlPoint(p.row, p.col, float(x), p.y, p.z, p.id, p.info) for p, x in moved)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _invertible(t: Affine) -> bool:
    values = np.array([t.a, t.b, t.c, t.d, t.e, t.f], dtype=np.float64)
    return bool(np.isfinite(values).all() and t.a * t.e != t.b * t.d)


def _grid(width: float, height: float) -> tuple[Floats, Floats]:
    x, y = np.meshgrid(np.linspace(0, width, _GRID), np.linspace(0, height, _GRID))
    return x, y


def in_space(lon: Floats, lat: Floats) -> Floats:
    """Geocentric coordinates (N, 3), in metres, of positions on the WGS 84 ellipsoid."""
    a, e2 = WGS84.a, WGS84.es
    with np.errstate(invalid="ignore"):
        lam, phi = np.radians(lon), np.radians(lat)
        n = a / np.sqrt(1 - e2 * np.sin(phi) ** 2)
        return np.stack(
            [n * np.cos(phi) * np.cos(lam), n * np.cos(phi) * np.sin(lam), n * (1 - e2) * np.sin(phi)], axis=1
        )


def _longitudes(lon: Floats) -> tuple[float, float]:
    """The westernmost longitude, and the range eastwards from it in degrees, of a grid of longitudes (infinite: off the Earth)."""
    known = lon[np.isfinite(lon)]
    if known.size == lon.size:
        # neighbours are close together, so their longitudes can be unwrapped
        rows = np.unwrap(lon, axis=1, period=360)
        rows = rows + (np.unwrap(lon[:, 0], period=360) - rows[:, 0])[:, None]
        return float(rows.min()), float(rows.max() - rows.min())
    known = np.unique(known)
    gaps = np.diff(np.append(known, known[0] + 360))
    widest = int(np.argmax(gaps))
    return float(known[(widest + 1) % len(known)]), float(360 - gaps[widest])


def _wrap_lon(lon: float) -> float:
    return lon if -180 <= lon <= 180 else (lon + 180) % 360 - 180


def _floats(values: Any) -> Floats:
    return np.atleast_1d(np.asarray(values, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class _CrsFacts:
    """Properties of a CRS, cached: to read them takes longer than to transform a hundred points.

    `not_on_earth`: why its positions are not on the Earth; empty if they are. `unit_deg`: the unit of a geographic CRS in degrees,
    usually 1, sometimes 0.9 (grads); 0 for others. `linear`: whether its coordinates are longitude and latitude (not of a rotated
    pole). `transformer`: to WGS 84 degrees. `old_datum`: the datum's name where the ellipsoid is not a sphere and differs from WGS 84.
    """

    not_on_earth: str
    unit_deg: float
    linear: bool
    transformer: pyproj.Transformer | None
    old_datum: str = ""


@lru_cache(maxsize=64)
def _crs_facts(crs: CRS) -> _CrsFacts:
    own = pyproj.CRS.from_wkt(crs.to_wkt())
    why = _not_on_earth(own)
    if why:
        return _CrsFacts(why, 0.0, False, None)
    unit = math.degrees(own.axis_info[0].unit_conversion_factor) if own.is_geographic and own.axis_info else 0.0
    try:
        transformer = pyproj.Transformer.from_crs(own, pyproj.CRS.from_epsg(4326), always_xy=True)
    except ProjError as error:
        return _CrsFacts(
            f"the image's coordinate reference system cannot be used ({_first_line(error)})", unit, False, None
        )
    return _CrsFacts("", unit, unit > 0 and not own.is_derived, transformer, _old_datum(own))


def _old_datum(crs: pyproj.CRS) -> str:
    ellipsoid, geodetic = crs.ellipsoid, crs.geodetic_crs
    if ellipsoid is None or geodetic is None or not ellipsoid.inverse_flattening:
        return ""
    if abs(ellipsoid.semi_major_metre - WGS84.a) < 5 and abs(ellipsoid.inverse_flattening - 1 / WGS84.f) < 0.1:
        return ""
    return (geodetic.datum.name if geodetic.datum else "") or geodetic.name or "unnamed"


def _not_on_earth(crs: pyproj.CRS) -> str:
    if crs.is_geocentric:
        return "the image's coordinate reference system is geocentric, which is not possible for a raster"
    if not (crs.is_geographic or crs.is_projected) or crs.ellipsoid is None or crs.geodetic_crs is None:
        return "the image's coordinate reference system is local, without a position on Earth"
    low, high = _EARTH_RADIUS_M
    return (
        "" if low < crs.ellipsoid.semi_major_metre < high else "the image's coordinate reference system is not on Earth"
    )


def format_extent(extent: Sequence[float]) -> str:
    """West, south, east, north (or x1, y1, x2, y2 of any system) as text, precise to a thousandth of the extent.

    At least six decimals for coordinates that may be degrees, one for metres. West > east means across 180 degrees.
    """
    x1, y1, x2, y2 = extent
    span = min(x2 - x1 if x2 > x1 else 360.0, y2 - y1 if y2 > y1 else 360.0)
    least = 6 if max(map(abs, extent)) <= 360 else 1
    decimals = min(15, max(least, 3 - math.floor(math.log10(span))))
    return ", ".join(f"{value:.{decimals}f}" for value in extent)
