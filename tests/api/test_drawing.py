"""Regions are drawn where the pixels of their image are, in each kind of coordinates."""

import matplotlib as mpl
import numpy as np
import pytest
import rasterio
from affine import Affine
from stored.data import stored_result
from views.data import view_of

from t2s_agent.api import drawing
from t2s_agent.regions.raster import read_mask
from t2s_agent.results.export import to_geodataframe

mpl.use("Agg")
VIEWS = {
    "metres": view_of(),
    "turned": view_of(transform=Affine(0.3, 0.1, 500_000, 0.1, -0.3, 5e6)),
    "degrees": view_of(crs=4326, transform=Affine(1e-5, 0, 14, 0, -1e-5, 50)),
    "across 180 degrees": view_of(crs=4326, transform=Affine(1e-5, 0, 179.9997, 0, -1e-5, 60)),
    "pixels": view_of(crs=None),
}


def require_over_its_pixels(ax, labels):
    """The middle of each region's pixels, where the picture draws it, lies in the outline that is drawn for it."""
    ax.figure.canvas.draw()
    paths = ax.collections[0].get_paths()
    assert len(paths) == labels.max() == 2
    for id_, path in enumerate(paths, 1):
        ys, xs = np.nonzero(labels == id_)
        [middle] = ax.images[0].get_transform().transform([(xs.mean() + 0.5, ys.mean() + 0.5)])
        outline = path.transformed(ax.transData)
        assert outline.contains_point(middle)
        assert not outline.contains_point(middle + (150, 150))
    mpl.pyplot.close(ax.figure)


@pytest.mark.parametrize("kind", VIEWS)
def test_outlines_lie_over_their_pixels(tmp_path, kind):
    view = VIEWS[kind]
    record, folder = stored_result(tmp_path / "r", [(10, 10, 16, 16), (28, 5, 34, 20)], view=view)
    mask = folder / "mask.tif"
    ax = drawing.plot(to_geodataframe(record, folder), mask, view, None, window=view.window, title="", numbers=True)
    require_over_its_pixels(ax, read_mask(mask))


def test_a_mask_of_an_earlier_version_without_coordinates_shows_its_window(tmp_path):
    view = VIEWS["pixels"]
    record, folder = stored_result(tmp_path / "r", [(10, 10, 16, 16), (28, 5, 34, 20)], view=view)
    mask, labels = folder / "mask.tif", read_mask(folder / "mask.tif")
    mask.unlink()
    with rasterio.open(mask, "w", driver="GTiff", width=60, height=40, count=1, dtype="uint16", nodata=0) as file:
        file.write(labels, 1)
    ax = drawing.plot(to_geodataframe(record, folder), mask, view, None, window=(0, 0, 60, 40), title="", numbers=False)
    require_over_its_pixels(ax, labels)
