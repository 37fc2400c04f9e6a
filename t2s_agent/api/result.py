"""A result as an object: its regions, mask and files, and what can be done with it."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from shapely.geometry import mapping

from t2s_agent import pipeline
from t2s_agent.api import drawing, html
from t2s_agent.errors import T2SError
from t2s_agent.regions.plus_minus import level_of, levels
from t2s_agent.regions.raster import read_mask
from t2s_agent.regions.region import Labels, Measure
from t2s_agent.regions.rounding import with_plus_minus
from t2s_agent.results import export
from t2s_agent.results.files import MASK, PREVIEW, REGIONS
from t2s_agent.results.outlines import StoredRegions
from t2s_agent.results.record import Record
from t2s_agent.text import one_line

if TYPE_CHECKING:
    import folium
    import geopandas
    from matplotlib.axes import Axes

    from t2s_agent.prompting.answer import Outcome

_SHOWN = 200  # characters of a question or warning in a repr


class Result:
    """A stored result. Never changed: `refine` makes a new one. What it holds is read from its files when it is asked for.

    `segment` and `refine` return one; `Result.open` finds one of an earlier process.

    >>> import t2s_agent
    >>> tanks = t2s_agent.segment("demo-out/harbour.tif", "Where are the storage tanks?")
    >>> tanks.status, len(tanks.regions)
    ('found', 7)
    >>> region = tanks.regions[0]
    >>> region.id, region.geometry.geom_type, region.area.unit
    (1, 'Polygon', 'm2')
    >>> tanks.mask.shape, int(tanks.mask.max())
    ((640, 640), 7)
    >>> tanks.to_file("tanks.gpkg").name
    'tanks.gpkg'
    >>> t2s_agent.Result.open(tanks.id) == tanks
    True
    """

    def __init__(self, engine: pipeline.Engine, record: Record) -> None:
        """`record` is that of a result in the engine's store."""
        self.engine: pipeline.Engine = engine
        self._head = record.model_copy(update={"regions": ()})  # 100,000 records of regions take 400 MB
        self.folder: Path = engine.store.folder / record.id
        self.regions: StoredRegions = StoredRegions(self.folder / REGIONS)

    @classmethod
    def open(cls, id: str, *, engine: pipeline.Engine | None = None, store: Path | str | None = None) -> "Result":
        """A stored result by its id, the beginning of one (`r_` and four digits), or `last`, from the user's store, `engine`'s
        or the folder `store`. Raises `result_unknown` or `result_damaged`.
        """
        from t2s_agent.api.engine import engine_for
        from t2s_agent.api.naming import result_id

        chosen = engine_for(engine, store=store)
        whole = result_id(chosen.store, id)
        return cls(chosen, chosen.store.load(whole, regions=False))

    @property
    def id(self) -> str:
        """`r_` and 24 hexadecimal digits. It names the result in the store, on the command line and for agents."""
        return self._head.id

    @property
    def status(self) -> "Outcome":
        """`found`, `partly`, `empty` or `not_understood`; nothing found is a result, not an error."""
        return self._head.status

    @property
    def question(self) -> str:
        """What was asked, with the instructions of refinements after it."""
        return self._head.query

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before the numbers are used: coarse views, nodata, objects that were left out ..."""
        return self._head.warnings

    @property
    def parents(self) -> tuple[str, ...]:
        """The ids of the results that this one was made from; empty for one of `segment`."""
        return self._head.parents

    @property
    def located(self) -> bool:
        """Whether the image has a place on Earth: then outlines are in degrees (WGS 84) and measures in metres, else all in pixels."""
        return self._head.located

    @property
    def total_area(self) -> Measure:
        """The sum of the areas, in `m2` or `px2`. Its plus/minus is that of the models' calibration, else the sum of theirs."""
        return Measure(self._head.total_area, self._head.total_area_pm, self._head.unit_area)

    @property
    def pm_level(self) -> str:
        """What the plus/minus of the regions and of the total cover: "90 %", or that they are of pixels only."""
        if self._head.pm_level:
            return self._head.pm_level
        calibrated = [
            region.calibrated for region in self.regions
        ]  # an older record, which may come without its regions
        return levels(calibrated, total=self._head.count_high is not None)

    @property
    def record(self) -> Record:
        """Everything in words and numbers: image, models, prompts, thinking, measures, timings. Read from its file each time."""
        return self.engine.store.load(self.id)

    @cached_property
    def mask(self) -> Labels:
        """The region id of each pixel that the models saw, 0 for none: (height, width), read-only, in the grid of `mask_path`."""
        labels = read_mask(self.mask_path)
        labels.setflags(write=False)
        return labels

    @property
    def mask_path(self) -> Path:
        """The mask as a cloud-optimised GeoTIFF, in the image's own reference system."""
        return self.folder / MASK

    @property
    def geojson_path(self) -> Path:
        """The regions as GeoJSON."""
        return self.folder / REGIONS

    @property
    def picture_path(self) -> Path:
        """The picture as PNG: the image with outlined, numbered regions and a legend."""
        return self.folder / PREVIEW

    @property
    def picture(self) -> Image.Image:
        """The picture, at most 2,048 px wide and high without its legend. Raises `result_damaged` where it cannot be read."""
        try:
            with Image.open(self.picture_path) as image:
                image.load()
                return image
        except OSError as error:
            raise T2SError(
                "result_damaged", f"the picture of {self.id} cannot be read", "Make the result again"
            ) from error

    def refine(self, instruction: str = "", **options: Any) -> "Result":
        """A new result from this one: `t2s_agent.refine` with this engine and the same options.

        >>> import t2s_agent
        >>> tanks = t2s_agent.segment("demo-out/harbour.tif", "Where are the storage tanks?")
        >>> [round(region.area.value) for region in tanks.refine(sort_by="area", descending=True, first=1).regions] == [
        ...     round(max(region.area.value for region in tanks.regions))
        ... ]
        True
        """
        from t2s_agent.api.functions import refine

        return refine(self, instruction, engine=self.engine, **options)

    def describe(self, question: str = "", **options: Any) -> pipeline.Description:
        """What is measured of this result: `t2s_agent.describe` with this engine and the same options."""
        from t2s_agent.api.functions import describe

        return describe(self, question, engine=self.engine, **options)

    def to_geodataframe(self) -> "geopandas.GeoDataFrame":
        """One row a region, with its CRS and the columns that docs/reference/formats.md lists. Needs the extra `geo`.

        >>> import t2s_agent
        >>> table = t2s_agent.segment("demo-out/harbour.tif", "Where are the storage tanks?").to_geodataframe()
        >>> len(table), table.crs.to_epsg(), table["area_m2"].dtype.name
        (7, 4326, 'float64')
        """
        return export.to_geodataframe(self.record, self.folder)

    def to_file(self, path: Path | str) -> Path:
        """Writes the result as the file type that the name ends in, and gives the path.

        `.gpkg` (with its QGIS style), `.parquet`, `.fgb`, `.geojson`, `.shp`, `.kml`, `.csv`; `.tif` the mask, `.png` the picture,
        `.stac.json` a catalogue item. Raises `argument_invalid` for another ending, `output_unwritable` where the folder cannot be
        written or the extra `geo` is missing, `no_georeference` for KML of an image without a place on Earth.
        """
        return export.write(path, self.record, self.folder)

    def plot(self, ax: "Axes | None" = None, *, image: bool = True, numbers: bool = True) -> "Axes":
        """Draws the regions over the image in its own reference system, and gives the axes. Needs the extra `plot`.

        `image` False leaves the image out, which is read again otherwise (`image_not_found`, or `image_unreadable` where it has
        changed); `numbers` writes the ids.
        """
        view = pipeline.view_of(self.engine, self._head) if image else None
        table, window = self.to_geodataframe(), self._head.scene.window
        return drawing.plot(table, self.mask_path, view, ax, window=window, title=self.question, numbers=numbers)

    def explore(self, **options: Any) -> "folium.Map":
        """An interactive map for a notebook, over map tiles from the network. Needs the extra `explore`.

        `options` are those of `GeoDataFrame.explore`. Raises `no_georeference` where the image has no place on Earth.
        """
        return drawing.explore(self.to_geodataframe(), located=self.located, name=self._head.scene.name, **options)

    @property
    def __geo_interface__(self) -> dict[str, Any]:
        """A GeoJSON FeatureCollection of all regions, for shapely, geopandas, and whatever else reads this protocol.

        Coordinates are lon/lat on WGS 84, or pixels of the image (x right, y down) where it has no place on Earth.
        """
        unit_area, unit_length = self._head.unit_area, self._head.unit_length
        return {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "id": region.id,
                    "geometry": mapping(region.geometry),
                    "properties": {
                        "id": region.id,
                        "label": region.label,
                        f"area_{unit_area}": region.area.value,
                        f"area_pm_{unit_area}": region.area.plus_minus,
                        f"perimeter_{unit_length}": region.perimeter.value,
                        f"perimeter_pm_{unit_length}": region.perimeter.plus_minus,
                        "score": region.score,
                        "probability": region.probability,
                        "pm_level": level_of(region.calibrated),
                    },
                }
                for region in self.regions
            ],
        }

    def _repr_html_(self) -> str:
        return html.page_of(
            id=self.id,
            status=self.status,
            question=self.question,
            warnings=self.warnings,
            total_area=self.total_area,
            pm_level=self.pm_level,
            regions=self.regions,
            picture=self.picture,
        )

    def __repr__(self) -> str:
        count, area = self._head.region_count, self.total_area
        lines = [
            f"Result {self.id}: {self.status}",
            f"  {one_line(self.question, _SHOWN)!r} of {one_line(self._head.scene.name, _SHOWN)}",
            f"  {count} region{'s' * (count != 1)}, {with_plus_minus(area.value, area.plus_minus)} {area.unit} ({self.pm_level})",
            *(f"  warning: {one_line(warning, _SHOWN)}" for warning in self.warnings[:2]),
        ]
        if len(self.warnings) > 2:
            lines.append(f"  and {len(self.warnings) - 2} more warnings")
        return "\n".join(lines)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Result) and other.folder.absolute() == self.folder.absolute()

    def __hash__(self) -> int:
        return hash(self.folder.absolute())
