"""The mask as a file: ids of regions in place, and the same read back."""

import numpy as np
import rasterio
from rasterio._env import del_gdal_config, set_gdal_config
from views.data import cropped, mask_of, view_of

from t2s_agent.regions.build import build_regions
from t2s_agent.regions.raster import read_mask, write_mask


def three():
    view = view_of()
    boxes = [(0, 0, 10, 10), (14, 0, 24, 10), (50, 30, 60, 40)]
    return view, build_regions(cropped(mask_of(view, *b) for b in boxes), view)


def test_the_mask_is_a_cog_in_place(tmp_path):
    view, regions = three()
    write_mask(regions.labels, view, tmp_path / "mask.tif")
    assert (read_mask(tmp_path / "mask.tif") == regions.labels).all()
    with rasterio.open(tmp_path / "mask.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (file.crs.to_epsg(), file.nodata, file.dtypes) == (32633, 0, ("uint8",))
        assert file.transform == view.georeference.transform


def test_gdal_options_of_the_environment_do_not_move_a_mask(tmp_path, request):
    set_gdal_config("GDAL_GEOREF_SOURCES", "WORLDFILE")
    request.addfinalizer(lambda: del_gdal_config("GDAL_GEOREF_SOURCES"))
    view, regions = three()
    write_mask(regions.labels, view, tmp_path / "mask.tif")
    del_gdal_config("GDAL_GEOREF_SOURCES")
    with rasterio.open(tmp_path / "mask.tif") as file:
        assert file.crs.to_epsg() == 32633


def test_a_mask_without_a_georeference_is_written_too(tmp_path):
    view = view_of(crs=None)
    labels = np.full((40, 60), 3, np.int32)
    write_mask(labels, view, tmp_path / "mask.tif")
    assert (read_mask(tmp_path / "mask.tif") == labels).all()
