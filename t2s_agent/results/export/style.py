"""Defines how QGIS draws regions: the picture's colours, an outline, and the label `id: area ± plus/minus`."""

import sqlite3
from contextlib import closing
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from t2s_agent.regions.picture import COLOURS
from t2s_agent.regions.units import Units

# As text: QGIS before 3.28 reads the values of classes as text and asks GDAL for `(...) IN ('0', ...)`, which holds for no number in
# SQLite: then it draws nothing.
_CLASS = f'to_string(("id" - 1) % {len(COLOURS)})'
_FILL_ALPHA = 70  # of 255, as in the picture
# of QGIS 3.22, as its own "Save style to database" makes it
_TABLE = """
CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256),
    f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT,
    owner TEXT(30), ui TEXT(30), update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now'))
)"""
_REGISTER = """
INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change)
VALUES ('layer_styles', 'attributes', 'layer_styles', '', strftime('%Y-%m-%dT%H:%M:%fZ','now'))"""
_INSERT = """
INSERT INTO layer_styles
    (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description, owner)
SELECT '', '', table_name, column_name, 'regions', ?, '', 1, 'as in the picture', '' FROM gpkg_geometry_columns WHERE table_name = ?"""


def add_style(path: Path, layer: str, units: Units) -> None:
    """Writes the style of a layer into its GeoPackage, where QGIS finds it automatically."""
    try:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(_TABLE)
            database.execute(_REGISTER)
            database.execute(_INSERT, (regions_qml(units), layer))
    except sqlite3.Error as error:
        raise OSError(f"SQLite says: {error}") from error


def regions_qml(units: Units) -> str:
    """Returns the QGIS 3 style of a layer of regions."""
    categories = "".join(
        f'<category render="true" symbol="{k}" value="{k}" label="id {k + 1}, {k + 1 + len(COLOURS)}, ..." type="string"/>'
        for k in range(len(COLOURS))
    )
    symbols = "".join(_symbol(k, colour) for k, colour in enumerate(COLOURS))
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
        '<qgis version="3.22.0" styleCategories="Symbology|Labeling" labelsEnabled="1">'
        f'<renderer-v2 type="categorizedSymbol" attr={quoteattr(_CLASS)} '
        'enableorderby="0" forceraster="0" symbollevels="0">'
        f"<categories>{categories}</categories><symbols>{symbols}</symbols></renderer-v2>"
        f"{_labels(units)}<layerGeometryType>2</layerGeometryType></qgis>"
    )


def _symbol(number: int, colour: tuple[int, int, int]) -> str:
    red, green, blue = colour
    options = {
        "color": f"{red},{green},{blue},{_FILL_ALPHA}",
        "style": "solid",
        "outline_color": f"{red},{green},{blue},255",
        "outline_style": "solid",
        "outline_width": "0.6",
        "outline_width_unit": "MM",
        "joinstyle": "round",
    }
    said = "".join(f'<Option name="{name}" type="QString" value="{value}"/>' for name, value in options.items())
    old = "".join(f'<prop k="{name}" v="{value}"/>' for name, value in options.items())  # before QGIS 3.26
    return (
        f'<symbol type="fill" name="{number}" alpha="1" clip_to_extent="1" force_rhr="0">'
        f'<layer class="SimpleFill" enabled="1" locked="0" pass="0"><Option type="Map">{said}</Option>{old}</layer></symbol>'
    )


def label_expression(units: Units) -> str:
    """Returns the expression of a label as in the picture's legend: `3: 549 ± 25 m²`, with two digits of the plus/minus."""
    if not units.on_earth:
        return _with_decimals('"area_px2"', '"area_pm_px2"', "px²")
    km2 = _with_decimals('"area_m2" / 1e6', '"area_pm_m2" / 1e6', "km²")
    return f"""if("area_m2" >= 1e6, {km2}, {_with_decimals('"area_m2"', '"area_pm_m2"', "m²")})"""


def _with_decimals(value: str, plus_minus: str, unit: str) -> str:
    decimals = f"if({plus_minus} > 0, max(0, 1 - floor(log10({plus_minus}))), 0)"
    return (
        f"with_variable('d', {decimals}, to_string(\"id\") || ': ' || format_number({value}, @d) || ' ± ' || "
        f"format_number({plus_minus}, @d) || ' {unit}')"
    )


def _labels(units: Units) -> str:
    expression = quoteattr(label_expression(units))
    return (
        '<labeling type="simple"><settings calloutType="simple">'
        f'<text-style fieldName={expression} isExpression="1" fontFamily="Sans" fontSize="9" fontSizeUnit="Point" '
        'textColor="20,20,20,255" textOpacity="1" namedStyle="Regular" fontWeight="50">'
        '<text-buffer bufferDraw="1" bufferSize="0.8" bufferSizeUnits="MM" bufferColor="255,255,255,255" bufferOpacity="1"/>'
        "</text-style>"
        '<placement placement="0" centroidInside="1" centroidWhole="1" polygonPlacementFlags="2"/>'
        '<rendering drawLabels="1" obstacle="0" scaleVisibility="0" displayAll="0"/>'
        "</settings></labeling>"
    )


def mask_qml(count: int) -> str:
    """Returns the style of a mask with more regions than a colour table has entries: colours by region id, 0 not drawn."""
    entries = "".join(
        f'<paletteEntry value="{id_}" color="#{"".join(f"{v:02x}" for v in COLOURS[(id_ - 1) % len(COLOURS)])}" '
        f'alpha="255" label="{escape(str(id_))}"/>'
        for id_ in range(1, count + 1)
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
        '<qgis version="3.22.0" styleCategories="Symbology"><pipe><rasterrenderer type="paletted" band="1" opacity="0.6" alphaBand="-1">'
        f"<rasterTransparency/><colorPalette>{entries}</colorPalette></rasterrenderer></pipe></qgis>"
    )
