"""Measures the time from masks to measured regions, against GDAL's polygonize and pyproj for each whole mask."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio.features
import shapely
import shapely.geometry
from affine import Affine
from pyproj import Geod, Transformer
from rasterio.crs import CRS

from evals.speed.draw_masks import draw
from evals.speed.rows import Row, time_alternately
from t2s_agent.mask import Mask
from t2s_agent.regions.build import build_regions
from t2s_agent.scene import Georeference, View, Window

CASES = ((50, 640), (250, 1024))  # number of masks, and side of the View in pixels
PLACE = Georeference(CRS.from_epsg(32633), Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000))
_WGS84 = Geod(ellps="WGS84")


def view_of(side: int) -> View:
    """Returns a black square View with pixels of half a metre in UTM zone 33."""
    rgb, valid = np.zeros((side, side, 3), np.uint8), np.ones((side, side), bool)
    return View(rgb, valid, PLACE, Window(0, 0, side, side), 0.5, (1, 2, 3))


def regions(_folder: Path, times: int) -> list[Row]:
    """Measures `build_regions`: merges duplicates, divides overlaps, traces outlines, measures with plus/minus."""
    rows = []
    for count, side in CASES:
        drawn, view = draw(count, side, seed=0), view_of(side)
        masks = [Mask.of(each.pixels, each.x, each.y) for each in drawn]

        def ours(masks: Any = masks, view: View = view) -> None:
            build_regions(masks, view)

        def theirs(masks: Any = masks, side: int = side) -> None:
            [polygon_by_gdal(mask, side) for mask in masks]

        took = time_alternately(ours, theirs, times)
        alternative = "rasterio.features.shapes of each whole mask, pyproj's area and perimeter"
        rows.append(Row.of("regions", f"{count} masks in {side} x {side} px", took[0], alternative, took[1]))
    return rows


def polygon_by_gdal(mask: Mask, side: int) -> tuple[shapely.Geometry, float, float]:
    """Returns a mask's polygon on WGS 84, its geodesic area and perimeter; no overlaps, duplicates or plus/minus."""
    whole = np.zeros((side, side), np.uint8)
    mask.paint(whole, 1)
    found = rasterio.features.shapes(whole, whole.astype(bool), transform=PLACE.transform)
    polygon = shapely.union_all([shapely.geometry.shape(shape) for shape, _ in found])
    on_earth = shapely.transform(polygon, lambda p: np.stack(_to_degrees().transform(p[:, 0], p[:, 1]), axis=1))
    area, perimeter = _WGS84.geometry_area_perimeter(shapely.orient_polygons(on_earth))
    return on_earth, area, perimeter


@cache
def _to_degrees() -> Transformer:
    return Transformer.from_crs("EPSG:32633", "OGC:CRS84", always_xy=True)
