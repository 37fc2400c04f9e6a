"""Loads stored results: the View, the regions and the mask of a record."""

from collections.abc import Sequence

import numpy as np
import shapely

from t2s_agent.errors import T2SError
from t2s_agent.pipeline.engine import Engine
from t2s_agent.pipeline.tiled_view import require_few_pixels, tiled_view
from t2s_agent.regions.edges import with_edges
from t2s_agent.regions.geojson import regions_from
from t2s_agent.regions.mask_blocks import LabelBlock
from t2s_agent.regions.plus_minus import CalibrationUsed
from t2s_agent.regions.raster import MOST_MASK_PX, place_of_mask, read_mask
from t2s_agent.regions.region import Region, RegionSet
from t2s_agent.results.files import MASK, REGIONS, WINDOWS
from t2s_agent.results.outlines import StoredRegions, read_outlines
from t2s_agent.results.record import Record
from t2s_agent.scene import View, Window
from t2s_agent.scene.georeference import Georeference

MOST_REGIONS_HELD = 20_000  # 100 MB with their outlines


def view_of(engine: Engine, result: Record) -> View:
    """Returns the View that a result was made from.

    Raises `image_unreadable` if its pixels have changed, `limit_exceeded` for a result of windows with too many pixels for one View.
    """
    reference = result.scene
    if result.tiling is not None:
        require_few_pixels(result)
    with engine.scene_of(result) as scene:
        if result.tiling is not None and not result.parents:
            return tiled_view(scene, result, engine.store.artifact(result.id, WINDOWS))
        side = reference.max_size if result.tiling is None else max(reference.view_size)
        view = scene.view(window=Window(*reference.window), bands=list(reference.bands), max_size=side)
    if view.digest() != reference.pixels_sha256:
        raise T2SError(
            "image_unreadable",
            f"{reference.name} is no longer the image that {result.id} was made from",
            "Segment it again",
        )
    return view


def is_large(result: Record) -> bool:
    """Whether a result's regions or mask are too many to be held in memory: then they are read in parts."""
    width, height = result.scene.view_size
    return result.region_count > MOST_REGIONS_HELD or width * height > MOST_MASK_PX


def require_not_large(result: Record, what: str) -> None:
    """Raises `limit_exceeded` for work that needs all outlines or the whole mask of a large result."""
    if is_large(result):
        width, height = result.scene.view_size
        raise T2SError(
            "limit_exceeded",
            f"{what} needs all of {result.id} in memory: {result.region_count} regions in {width} x {height} px",
            f"At most {MOST_REGIONS_HELD} regions and {MOST_MASK_PX / 1e6:g} million px: ask about a part with bbox, "
            "or export the regions to a GIS; describing, listing, filtering and sorting work at any size",
        )


def ids_of(result: Record) -> Sequence[int]:
    """Returns the ids of all regions of a result. Where its record does not have them all, they run from 1 to their number."""
    if result.region_count > len(result.regions):
        return range(1, result.region_count + 1)
    return [region.id for region in result.regions]


def listed_regions(engine: Engine, result: Record) -> Sequence[Region]:
    """Returns the regions of a stored result for measures and tables: those of a large one are read when needed, without outlines."""
    if is_large(result):
        return StoredRegions(engine.store.artifact(result.id, REGIONS), outlines=False)
    return stored_regions(engine, result)


def stored_regions(engine: Engine, result: Record) -> tuple[Region, ...]:
    """Returns the regions of a stored result with their outlines."""
    path = engine.store.artifact(result.id, REGIONS)
    return regions_from(read_outlines(path))


def other_result(engine: Engine, result: Record, other: str) -> Record:
    """Returns the result to compare or combine with. Raises `no_georeference` if the two have no common coordinates.

    Two results without georeference must be of the same image, because pixels of two images cannot be compared.
    """
    found = engine.store.load(other)
    if found.units != result.units:
        raise T2SError(
            "no_georeference",
            f"only one of {found.id} and {result.id} has a georeference",
            "Combine two results with a georeference, or two without",
        )
    same = (found.scene.path, found.scene.width, found.scene.height) == (
        result.scene.path,
        result.scene.width,
        result.scene.height,
    )
    if not result.units.on_earth and not same:
        raise T2SError(
            "no_georeference",
            f"{found.id} and {result.id} are of two images without a georeference",
            "Combine results of one image, or of images with a georeference",
        )
    return found


def regions_with_edges(engine: Engine, result: Record) -> tuple[Region, ...]:
    """Returns the regions of a stored result with their estimated outlines, for distances. `limit_exceeded` for a large one."""
    require_not_large(result, "computing distances")
    path = engine.store.artifact(result.id, MASK)
    place = place_of_mask(path) if result.units.on_earth else Georeference()
    return with_edges(stored_regions(engine, result), read_mask(path), place, Window(*result.scene.window))


def labels_around(engine: Engine, result: Record, region_id: int) -> LabelBlock:
    """Returns the part of a result's mask that holds a region; of a result that is not large, all of it."""
    path = engine.store.artifact(result.id, MASK)
    if not is_large(result):
        return LabelBlock(0, 0, read_mask(path))
    width, height = result.scene.view_size
    outline = StoredRegions(path.with_name(REGIONS)).by_id(region_id).geometry
    points = shapely.get_coordinates(outline)
    if result.units.on_earth:
        x, y = place_of_mask(path).from_lonlat(points[:, 0], points[:, 1])
    else:
        left, top, across, down = result.scene.window
        x, y = (points[:, 0] - left) * width / across, (points[:, 1] - top) * height / down
    x1, x2 = (int(v) for v in np.clip([np.floor(np.nanmin(x)) - 1, np.ceil(np.nanmax(x)) + 1], 0, width))
    y1, y2 = (int(v) for v in np.clip([np.floor(np.nanmin(y)) - 1, np.ceil(np.nanmax(y)) + 1], 0, height))
    return LabelBlock(x1, y1, read_mask(path, (x1, y1, x2 - x1, y2 - y1)))


def region_set(engine: Engine, result: Record) -> RegionSet:
    """Returns a stored result's regions with their pixels. Raises `limit_exceeded` for a large one."""
    require_not_large(result, "changing or combining regions")
    labels = read_mask(engine.store.artifact(result.id, MASK))
    used = result.calibration
    return RegionSet(
        stored_regions(engine, result),
        labels,
        result.units,
        calibration=None if used is None else CalibrationUsed(used.sha256, used.data, used.date, used.cut),
    )
