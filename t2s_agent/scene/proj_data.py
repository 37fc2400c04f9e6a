"""Makes PROJ and GDAL read the data files that are installed with them, not those named by the environment.

conda, QGIS and others set PROJ_DATA, PROJ_LIB and GDAL_DATA for every program that is started after them. Their `proj.db` is
often of another version, and then codes such as EPSG:3857 are unknown and images have no position. Importing this module
removes these variables, and those for the form of a CRS, from the environment of this process and sets the data folders of
rasterio and pyproj to their own files. A build without its own data (made with the system's PROJ) keeps the environment's.
"""

import os
from pathlib import Path

import pyproj.datadir
import pyproj.network
from rasterio._env import GDALDataFinder, PROJDataFinder, set_proj_data_search_path
from rasterio.env import set_gdal_config

VARIABLES = ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA")
_WKT_OPTIONS = ("OSR_WKT_FORMAT", "OSR_ADD_TOWGS84_ON_EXPORT_TO_WKT1")  # the form in which GDAL writes a CRS


def _use_own_data() -> None:
    for name in _WKT_OPTIONS:
        os.environ.pop(name, None)
    pyproj.network.set_network_enabled(active=False)  # type: ignore[attr-defined]  # not listed as exported; PROJ_NETWORK=ON would download grids, and move positions by metres
    proj, gdal = PROJDataFinder().search_wheel(), GDALDataFinder().search_wheel()
    bundled = Path(pyproj.__file__).parent / "proj_dir" / "share" / "proj"
    if not (proj and gdal and (bundled / "proj.db").exists()):
        return
    for name in VARIABLES:
        os.environ.pop(name, None)  # rasterio 1.4 reads them whenever an Env starts
    set_proj_data_search_path(proj)
    set_gdal_config("GDAL_DATA", gdal)
    pyproj.datadir.set_data_dir(str(bundled))


def variables_set() -> str:
    """The environment variables that still name data of PROJ or GDAL, for errors about an unknown CRS; empty for none."""
    return ", ".join(name for name in VARIABLES if os.environ.get(name))


_use_own_data()
