"""The columns of the parts: the same in every file, so that a folder of them reads as one table.

They are those of the product's own GeoParquet (`regions.fields`), after the row that a region belongs to. Regions of scenes on Earth are in
`parts/`, in degrees; those of scenes without a place in `parts_pixels/`, in pixels with y up.
"""

import json
from typing import TYPE_CHECKING, Any

from t2s_agent.errors import T2SError
from t2s_agent.regions.fields import fields_of
from t2s_agent.regions.frame import PIXELS_WKT
from t2s_agent.regions.units import METRES, PIXELS, Units

if TYPE_CHECKING:
    import pyarrow

FOLDERS = {METRES.area: "parts", PIXELS.area: "parts_pixels"}
EXTRA = 'pip install "t2s-agent[scale]"'
EXTRA_RAY = 'pip install "t2s-agent[ray]"'
ROW_COLUMNS = ("row_id", "scene", "question_id", "scene_datetime")
GEOMETRY, COVERING = "geometry", "bbox"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_LONLAT = "EPSG:4326"  # as in the product's own GeoParquet; coordinates are longitude, latitude

Bounds = tuple[float, float, float, float]


def require_pyarrow() -> Any:
    """The module pyarrow. Raises `output_unwritable`, which names the extra, where it is not installed."""
    try:
        import pyarrow
    except ImportError as error:
        raise T2SError(
            "output_unwritable", "parts are GeoParquet, and pyarrow is not installed", f"Run {EXTRA}"
        ) from error
    return pyarrow


def columns_of(units: Units) -> "pyarrow.Schema":
    """The columns of a part, without the metadata of the file."""
    pa = require_pyarrow()
    types = {"text": pa.string(), "integer": pa.int32(), "real": pa.float64(), "boolean": pa.bool_()}
    return pa.schema(
        [
            *((name, pa.string()) for name in ROW_COLUMNS),
            *((field.name, types[field.kind]) for field in fields_of(units)),
            (GEOMETRY, pa.binary()),
            (COVERING, pa.struct([(corner, pa.float64()) for corner in _CORNERS])),
        ]
    )


def covering(bounds: Bounds) -> dict[str, float]:
    """The value of the column `bbox` for a region."""
    return dict(zip(_CORNERS, bounds, strict=True))


def schema_of(units: Units, bounds: Bounds | None) -> "pyarrow.Schema":
    """The columns of a part with GeoParquet 1.1 metadata. `bounds` (xmin, ymin, xmax, ymax) of all its regions; None without any."""
    return columns_of(units).with_metadata({"geo": json.dumps(_geo(units, bounds))})


def _geo(units: Units, bounds: Bounds | None) -> dict[str, Any]:
    from pyproj import CRS

    crs = CRS.from_user_input(_LONLAT if units.on_earth else PIXELS_WKT)
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": ["MultiPolygon"],
        "crs": crs.to_json_dict(),
        "orientation": "counterclockwise",
        "edges": "planar",
        "covering": {COVERING: {corner: [COVERING, corner] for corner in _CORNERS}},
    }
    if bounds is not None:
        column["bbox"] = list(bounds)
    return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
