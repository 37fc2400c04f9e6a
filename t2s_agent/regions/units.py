"""The units of a result: metres and degrees on Earth, or pixels where the image has no place on Earth.

`Units.of` decides once, where a view's place on Earth is known. Regions, files and tables take names and texts from there.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # the command line's help needs the names of units and not GDAL
    from t2s_agent.scene.georeference import Georeference


@dataclass(frozen=True, slots=True)
class Units:
    """Names of units and coordinates, as they stand after numbers and in the names of fields. There are two: METRES and PIXELS.

    `place` is the unit of a position, `axes` are its two coordinates, `centroid` the fields for those of a centroid, `centroid_key`
    the field for both together, `corners` the fields for those of a bounding box. `measured` says how values are computed.
    Positions are kept to `place_step` times the side of a pixel (in `length`), with at least `place_decimals` decimals.
    """

    area: Literal["m2", "px2"]
    length: Literal["m", "px"]
    place: Literal["degree", "px"]
    axes: tuple[str, str]
    centroid: tuple[str, str]
    centroid_key: str
    corners: tuple[str, str, str, str]
    measured: str
    place_step: float
    place_decimals: int

    @classmethod
    def of(cls, georeference: "Georeference") -> "Units":
        """The units of what is measured in an image with that place on Earth, or with none."""
        return METRES if georeference.located else PIXELS

    @classmethod
    def of_area(cls, unit: str) -> "Units":
        """The units of a stored result or measure, by its unit of area. Raises KeyError for any other unit."""
        return _BY_AREA[unit]

    @property
    def on_earth(self) -> bool:
        """Whether lengths are metres and positions longitude and latitude."""
        return self.length == METRES.length


METRES = Units(
    area="m2",
    length="m",
    place="degree",
    axes=("lon", "lat"),
    centroid=("lon", "lat"),
    centroid_key="centroid_lonlat",
    corners=("west", "south", "east", "north"),
    measured="geodesic on the WGS 84 ellipsoid",
    # a fiftieth of a pixel, 111,320 m a degree: an outline of six pixels keeps its area to half a percent
    place_step=1 / 50 / 111_320,
    place_decimals=6,  # RFC 7946 calls six usual (a decimetre)
)
PIXELS = Units(
    area="px2",
    length="px",
    place="px",
    axes=("x", "y"),
    centroid=("x_px", "y_px"),
    centroid_key="centroid_px",
    corners=("x1", "y1", "x2", "y2"),
    measured="pixels of the scene, which has no place on Earth",
    place_step=1 / 100,
    place_decimals=0,
)
_BY_AREA: dict[str, Units] = {each.area: each for each in (METRES, PIXELS)}
