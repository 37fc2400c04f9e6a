"""The columns of the parts: the same in every file, so that a folder of them reads as one table.

Those of regions are those of the product's own GeoParquet (`regions.fields`), after the row that a region belongs to. Regions of scenes on
Earth are in `parts/`, in degrees; those of scenes without a place in `parts_pixels/`, in pixels with y up. What changed between two dates is
in `changes/` and `changes_pixels/`.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2s_agent.errors import T2SError
from t2s_agent.regions.fields import fields_of
from t2s_agent.regions.frame import PIXELS_WKT
from t2s_agent.regions.units import METRES, PIXELS, Units

if TYPE_CHECKING:
    import pyarrow

EXTRA = 'pip install "t2s-agent[scale]"'
EXTRA_RAY = 'pip install "t2s-agent[ray]"'
ROW_COLUMNS = ("row_id", "scene", "question_id", "scene_datetime")
DATETIME_AFTER = "scene_datetime_after"
GEOMETRY, COVERING = "geometry", "bbox"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_LONLAT = "EPSG:4326"  # as in the product's own GeoParquet; coordinates are longitude, latitude

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Table:
    """A folder of parts with one schema: regions, or what changed between two dates, in one kind of units."""

    folder: str
    units: Units
    changes: bool = False


REGIONS = {METRES.area: Table("parts", METRES), PIXELS.area: Table("parts_pixels", PIXELS)}
CHANGES = {METRES.area: Table("changes", METRES, True), PIXELS.area: Table("changes_pixels", PIXELS, True)}
TABLES = {table.folder: table for table in (*REGIONS.values(), *CHANGES.values())}


def table_of(part: str) -> Table:
    """The table that a part belongs to, by its path from the output folder."""
    return TABLES[part.partition("/")[0]]


def require_pyarrow() -> Any:
    """The module pyarrow. Raises `output_unwritable`, which names the extra, where it is not installed."""
    try:
        import pyarrow
    except ImportError as error:
        raise T2SError(
            "output_unwritable", "parts are GeoParquet, and pyarrow is not installed", f"Run {EXTRA}"
        ) from error
    return pyarrow


def columns_of(table: Table) -> "pyarrow.Schema":
    """The columns of a part, without the metadata of the file."""
    pa = require_pyarrow()
    types = {"text": pa.string(), "integer": pa.int32(), "real": pa.float64(), "boolean": pa.bool_()}
    own = _change_fields(table.units) if table.changes else {f.name: f.kind for f in fields_of(table.units)}
    return pa.schema(
        [
            *((name, pa.string()) for name in ROW_COLUMNS),
            *((name, types[kind]) for name, kind in own.items()),
            (GEOMETRY, pa.binary()),
            (COVERING, pa.struct([(corner, pa.float64()) for corner in _CORNERS])),
        ]
    )


def _change_fields(units: Units) -> dict[str, str]:
    """The columns of a match, as `Change.properties` names them, with their kinds."""
    areas = [
        f"{name}_{units.area}" for when in ("area_before", "area_after", "difference") for name in (when, f"{when}_pm")
    ]
    text = ("why", "question", "result_before", "result_after")
    return {
        **dict.fromkeys((DATETIME_AFTER, "change", "before", "after"), "text"),
        **dict.fromkeys((*areas, "overlap"), "real"),
        "uncertain": "boolean",
        **dict.fromkeys(text, "text"),
    }


def covering(bounds: Bounds) -> dict[str, float]:
    """The value of the column `bbox` for a region."""
    return dict(zip(_CORNERS, bounds, strict=True))


def schema_of(table: Table, bounds: Bounds | None) -> "pyarrow.Schema":
    """The columns of a part with GeoParquet 1.1 metadata. `bounds` (xmin, ymin, xmax, ymax) of all its outlines; None without any."""
    return columns_of(table).with_metadata({"geo": json.dumps(_geo(table.units, bounds))})


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
