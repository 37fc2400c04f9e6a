"""Regions drawn: over their image by matplotlib, or on an interactive map by folium. Both are optional libraries."""

import math
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rasterio
from affine import Affine
from shapely import MultiPolygon
from shapely.affinity import translate

from t2s_agent.errors import T2SError
from t2s_agent.regions.picture import COLOURS
from t2s_agent.scene import PINNED, View, ignore_not_georeferenced
from t2s_agent.text import one_line

if TYPE_CHECKING:
    import folium
    import geopandas
    from matplotlib.axes import Axes

_FILL = 70 / 255  # of 1: how opaque a region is, as in the picture
_LONGEST_TITLE = 80


def plot(
    table: "geopandas.GeoDataFrame",
    mask: Path,
    view: View | None,
    ax: "Axes | None",
    *,
    window: tuple[int, int, int, int],
    title: str,
    numbers: bool,
) -> "Axes":
    """Outlines of `table` over the pixels of `view`, in the coordinates of the file `mask`; in those of `table` where it has
    control points only, and then without the pixels.

    A mask of an earlier version that has no coordinates shows `window` (x, y, width, height in pixels of the image), y pointing up.
    """
    try:
        from matplotlib import pyplot
        from matplotlib.transforms import Affine2D
    except ImportError as error:
        raise _missing("matplotlib", "plot") from error
    if ax is None:
        ax = pyplot.subplots()[1]
    with rasterio.Env(**PINNED), ignore_not_georeferenced(), rasterio.open(mask) as file:
        placed, transform, crs = not file.gcps[0], file.transform, file.crs
        size = file.width, file.height
    if crs is None:
        x, y, width, height = window
        transform = Affine(width / size[0], 0, x, 0, -height / size[1], -y)
    elif placed and table.crs is not None and table.crs.is_geographic:
        table = table.to_crs(crs.to_wkt())
        if table.crs.is_geographic:
            middle = transform.c + transform.a * size[0] / 2
            table = table.set_geometry([_beside(outline, middle) for outline in table.geometry], crs=table.crs)
    if placed and view is not None:
        to_crs = Affine2D.from_values(transform.a, transform.d, transform.b, transform.e, transform.c, transform.f)
        ax.imshow(view.rgb, extent=(0, size[0], size[1], 0), transform=to_crs + ax.transData)
        corners = [transform @ (x * size[0], y * size[1]) for x in (0, 1) for y in (0, 1)]
        ax.set_xlim(min(x for x, _ in corners), max(x for x, _ in corners))
        ax.set_ylim(min(y for _, y in corners), max(y for _, y in corners))
    fills, lines = ([_colour(id_, alpha) for id_ in table["id"]] for alpha in (_FILL, 1.0))
    if len(table):
        table.plot(ax=ax, facecolor=fills, edgecolor=lines, linewidth=1.5, aspect=None)
    for id_, outline in zip(table["id"], table.geometry, strict=True):
        if numbers:
            spot = outline.representative_point()
            ax.annotate(str(id_), (spot.x, spot.y), ha="center", va="center", fontsize=8)
    geographic = table.crs is not None and table.crs.is_geographic
    middle = sum(ax.get_ylim()) / 2
    ax.set_aspect(1 / math.cos(math.radians(middle)) if geographic and abs(middle) < 89 else 1.0)
    ax.set_title(one_line(title, _LONGEST_TITLE), parse_math=False)
    return ax


def _beside(outline: MultiPolygon, middle: float) -> MultiPolygon:
    """The parts of an outline in degrees, moved by whole turns so that they lie beside `middle`: an image may run across 180."""
    return MultiPolygon(
        [translate(part, 360 * round((middle - part.representative_point().x) / 360)) for part in outline.geoms]
    )


def explore(table: "geopandas.GeoDataFrame", *, located: bool, name: str, **options: Any) -> "folium.Map":
    """The regions on a map; texts are escaped, since folium writes them into its page as they are."""
    if not located:
        raise T2SError("no_georeference", f"{name} has no place on Earth to show on a map", "Use plot()")
    try:
        import folium  # noqa: F401 (geopandas imports it later: is it there?)
        import mapclassify  # noqa: F401 (geopandas imports it later: is it there?)
        import matplotlib as mpl  # noqa: F401 (geopandas imports it later: is it there?)
    except ImportError as error:
        raise _missing(error.name or "folium", "explore") from error
    table = table.copy()
    for column in table.columns:
        if table[column].dtype == "string":
            table[column] = table[column].map(escape, na_action="ignore")
    colours = [_hex(id_) for id_ in table["id"]]
    style = {"fillOpacity": _FILL, "weight": 2}
    return table.explore(**({"color": colours, "style_kwds": style} | options))


def _missing(library: str, extra: str) -> T2SError:
    return T2SError("output_unwritable", f"{library} is not installed", f'Run pip install "t2s-agent[{extra}]"')


def _colour(id_: int, alpha: float) -> tuple[float, float, float, float]:
    red, green, blue = COLOURS[(id_ - 1) % len(COLOURS)]
    return red / 255, green / 255, blue / 255, alpha


def _hex(id_: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*COLOURS[(id_ - 1) % len(COLOURS)])
