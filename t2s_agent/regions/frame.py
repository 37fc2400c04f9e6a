"""Defines the coordinates of outlines and masks in files: the same for both, so that a GIS shows them on the image.

On Earth outlines are in degrees (WGS 84) and the mask in the image's own CRS. Otherwise both are in the image's own CRS (the Moon,
a local site grid), or, without a CRS, in its pixels with y up: QGIS shows an image without a georeference with its upper left
corner at (0, 0) and its lower edge at y = -height.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from affine import Affine
from rasterio.crs import CRS

from t2s_agent.regions.region import Geometry
from t2s_agent.scene.georeference import Georeference
from t2s_agent.scene.view import Picture, Window

_EXACT_PX = 6  # decimals of pixel positions read from a file
# An engineering CRS: coordinates without a position on Earth. GDAL, PROJ and QGIS read it, and cannot transform it.
_ENGINEERING = (
    'ENGCRS["{name}",EDATUM["{datum}"],CS[Cartesian,2],'
    'AXIS["x",east,ORDER[1],LENGTHUNIT["{unit}",1]],AXIS["y",north,ORDER[2],LENGTHUNIT["{unit}",1]]]'
)
PIXELS_WKT = _ENGINEERING.format(
    name="Pixels of an image without a place on Earth", datum="Upper left corner of the image", unit="pixel"
)
UNKNOWN_WKT = _ENGINEERING.format(
    name="Coordinates of an image whose reference system is unknown", datum="Unknown", unit="unknown"
)


@dataclass(frozen=True, slots=True)
class Frame:
    """The coordinates of a file's outlines: `crs` as WKT, and `transform` from pixels of the image to them.

    Both are empty where the image has a position on Earth; outlines are then longitude and latitude.
    """

    crs: str = ""
    transform: Affine | None = None

    @classmethod
    def of(cls, georeference: Georeference, window: Window, width: int, height: int) -> "Frame":
        """The frame of a View of `width` x `height` pixels that shows a `window` of the image and has `georeference`."""
        if georeference.located:
            return EARTH
        if not _has_own_coordinates(georeference):
            return cls.pixels()
        from_image = Affine.scale(width / window.width, height / window.height) @ Affine.translation(
            -window.x, -window.y
        )
        crs = UNKNOWN_WKT
        if georeference.crs is not None and not georeference.unusable_because:
            crs = georeference.crs.to_wkt(version="WKT2_2019")
        return cls(crs, georeference.transform @ from_image)

    @classmethod
    def pixels(cls) -> "Frame":
        """Pixels of an image without coordinates, y up."""
        return cls(PIXELS_WKT, Affine.scale(1, -1))

    @classmethod
    def of_view(cls, view: Picture) -> "Frame":
        return cls.of(view.georeference, view.window, view.width, view.height)

    @classmethod
    def read(cls, member: Any) -> "Frame | None":
        """The frame in a file (`member`); None for older files without one, which are in pixels, y down."""
        return cls(member["crs"], Affine(*member["transform"])) if member else None

    def member(self) -> dict[str, Any] | None:
        """The frame as it is written in a file; None on Earth."""
        return None if self.transform is None else {"crs": self.crs, "transform": list(self.transform)[:6]}

    def to_file(self, geometries: Sequence[Geometry]) -> list[Geometry]:
        """The geometries of regions converted to the coordinates of the file."""
        return list(geometries) if self.transform is None else _moved(geometries, self.transform)

    def in_pixels(self, geometries: Sequence[Geometry]) -> list[Geometry]:
        """The inverse of `to_file`: pixels of the image, rounded to a millionth."""
        if self.transform is None:
            return list(geometries)
        return [
            shapely.transform(each, lambda points: np.round(points, _EXACT_PX) + 0.0)
            for each in _moved(geometries, ~self.transform)
        ]


EARTH = Frame()


def place_of(view: Picture) -> tuple[CRS | None, Affine | None]:
    """CRS and transform (View pixels to coordinates) of a mask, in the same coordinates as the outlines.

    None, None where the View has ground control points.
    """
    if view.georeference.located:
        return view.georeference.crs, view.georeference.transform
    frame = Frame.of_view(view)
    window = view.window
    to_image = Affine.translation(window.x, window.y) @ Affine.scale(
        window.width / view.width, window.height / view.height
    )
    return CRS.from_wkt(frame.crs), frame.transform @ to_image if frame.transform is not None else None


def _has_own_coordinates(georeference: Georeference) -> bool:
    """Whether the image has coordinates, but no position on Earth."""
    transform = georeference.transform
    return transform is not None and transform != Affine.identity() and abs(transform.determinant) > 0


def _moved(geometries: Sequence[Geometry], by: Affine) -> list[Geometry]:
    matrix, offset = np.array([[by.a, by.d], [by.b, by.e]]), np.array([by.c, by.f])
    return [shapely.transform(each, lambda points: points @ matrix + offset) for each in geometries]
