"""PROJ and GDAL read the data files that came with them, whatever the environment names.

conda, QGIS and others set PROJ_DATA, PROJ_LIB and GDAL_DATA for every program that is started after them. Their `proj.db` is
often of another version, and then codes such as EPSG:3857 are unknown and images lose their place. Importing this module
takes these variables, and those for the form of a CRS, out of the environment of this process and points rasterio and pyproj to their own files. A build that
brings no data of its own (made against the system's PROJ) keeps what the environment names.
"""

import os
from pathlib import Path

import pyproj.datadir
import pyproj.network
from rasterio._env import GDALDataFinder, PROJDataFinder, set_proj_data_search_path
from rasterio.env import set_gdal_config

VARIABLES = ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA")
_WORDING = (
    "OSR_WKT_FORMAT",
    "OSR_ADD_TOWGS84_ON_EXPORT_TO_WKT1",
)  # in which form GDAL writes a CRS down, ours included


def _use_own_data() -> None:
    for name in _WORDING:
        os.environ.pop(name, None)
    pyproj.network.set_network_enabled(active=False)  # type: ignore[attr-defined]  # not listed as exported; PROJ_NETWORK=ON would fetch grids, and move places by metres
    proj, gdal = PROJDataFinder().search_wheel(), GDALDataFinder().search_wheel()
    bundled = Path(pyproj.__file__).parent / "proj_dir" / "share" / "proj"
    if not (proj and gdal and (bundled / "proj.db").exists()):
        return
    for name in VARIABLES:
        os.environ.pop(name, None)  # rasterio 1.4 reads them again whenever an Env starts
    set_proj_data_search_path(proj)
    set_gdal_config("GDAL_DATA", gdal)
    pyproj.datadir.set_data_dir(str(bundled))


def variables_set() -> str:
    """The variables that still name data of PROJ or GDAL, for errors about an unknown CRS; empty for none."""
    return ", ".join(name for name in VARIABLES if os.environ.get(name))


_use_own_data()
