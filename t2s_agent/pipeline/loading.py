"""Loads stored results: the View, the regions and the mask of a record."""

from t2s_agent.errors import T2SError
from t2s_agent.pipeline.engine import Engine
from t2s_agent.regions.edges import with_edges
from t2s_agent.regions.geojson import regions_from
from t2s_agent.regions.plus_minus import CalibrationUsed
from t2s_agent.regions.raster import place_of_mask, read_mask
from t2s_agent.regions.region import Region, RegionSet
from t2s_agent.results.files import MASK, REGIONS
from t2s_agent.results.outlines import read_outlines
from t2s_agent.results.record import Record
from t2s_agent.scene import View, Window
from t2s_agent.scene.georeference import Georeference


def view_of(engine: Engine, result: Record) -> View:
    """Returns the View that a result was made from. Raises `image_unreadable` if its pixels have changed."""
    reference = result.scene
    with engine.scene_of(result) as scene:
        view = scene.view(window=Window(*reference.window), bands=list(reference.bands), max_size=reference.max_size)
    if view.digest() != reference.pixels_sha256:
        raise T2SError(
            "image_unreadable",
            f"{reference.name} is no longer the image that {result.id} was made from",
            "Segment it again",
        )
    return view


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
    """Returns the regions of a stored result with their estimated outlines, for distances."""
    path = engine.store.artifact(result.id, MASK)
    place = place_of_mask(path) if result.units.on_earth else Georeference()
    return with_edges(stored_regions(engine, result), read_mask(path), place, Window(*result.scene.window))


def region_set(engine: Engine, result: Record) -> RegionSet:
    """Returns a stored result's regions with their pixels."""
    labels = read_mask(engine.store.artifact(result.id, MASK))
    used = result.calibration
    return RegionSet(
        stored_regions(engine, result),
        labels,
        result.units,
        calibration=None if used is None else CalibrationUsed(used.sha256, used.data, used.date, used.cut),
    )
