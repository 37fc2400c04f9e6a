"""A scene of rectangles on the central meridian of a UTM zone, with numbers that can be worked out by hand."""

import shapely
from affine import Affine
from rasterio.crs import CRS

from evals.chains.scenes import Scene, Thing, mask_of

SIDE = 1000  # px of half a metre
K = 0.9996  # metres of UTM for a metre on the ground, on the central meridian


def scene_of(*things, name="made"):
    """Rectangles (category, left, top, right, bottom) in pixels."""
    made = []
    for category, *corners in things:
        outline = shapely.box(*corners)
        made.append(Thing(category, outline, *mask_of(outline)))
    transform = Affine(0.5, 0, 500_000 - 250, 0, -0.5, 5_000_000)
    return Scene(name, None, SIDE, SIDE, 0.5, CRS.from_epsg(32631), transform, made)


def yard():
    """Three tanks, a shed and a yard around two of the tanks."""
    return scene_of(
        ("yard", 100, 100, 500, 500),
        ("tank", 150, 150, 190, 170),  # 20 m x 10 m, in the yard
        ("tank", 300, 150, 320, 190),  # 10 m x 20 m, in the yard, 55 m east of the first
        ("tank", 600, 150, 660, 190),  # 30 m x 20 m, 140 m east of the second
        ("shed", 700, 150, 740, 190),  # 20 m east of the third
    )
