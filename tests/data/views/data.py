"""Views and masks without a file: black, 60 x 40 px, half a metre a pixel, in UTM zone 33."""

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from t2s_agent.mask import Mask
from t2s_agent.regions.region import Measure, Region
from t2s_agent.scene import Georeference, View, Window
from t2s_agent.scene.georeference import georeference_of

HALF_A_METRE = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)


def view_of(height=40, width=60, *, transform=HALF_A_METRE, crs=32633):
    place = georeference_of(CRS.from_user_input(crs), transform, (), width, height) if crs else Georeference()
    gsd = place.typical_gsd_m(width, height)
    rgb, valid = np.zeros((height, width, 3), np.uint8), np.ones((height, width), bool)
    return View(rgb, valid, place, Window(0, 0, width, height), gsd, (1, 2, 3))


def region_of(id_, geometry, pixel=1.0):
    """A region with an outline and a size of pixels, of which nothing else is known."""
    return Region(id_, geometry, Measure(1, 0, "px2"), Measure(1, 0, "px"), (0, 0), geometry.bounds, pixel=pixel)


def cropped(arrays):
    """Full masks (N, H, W), or a list of (H, W), as `build_regions` takes them."""
    return [Mask.of(array) for array in arrays]


def mask_of(view, x1, y1, x2, y2):
    mask = np.zeros((view.height, view.width), bool)
    mask[y1:y2, x1:x2] = True
    return mask
