"""Checks the ending of an output file and whether it can be written, before any work is done."""

import os
import tempfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from t2s_agent.errors import T2SError
from t2s_agent.results.catalogue import ID
from t2s_agent.results.files import RECORD

STAC = ".stac.json"
# ending -> the content of the file
ENDINGS = {
    ".gpkg": "GeoPackage with its style inside",
    ".parquet": "GeoParquet 1.1",
    ".fgb": "FlatGeobuf",
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".shp": "ESRI shapefile",
    ".kml": "KML",
    ".csv": "table with outlines as WKT",
    ".tif": "mask as GeoTIFF",
    ".tiff": "mask as GeoTIFF",
    ".png": "picture",
    STAC: "STAC item",
}
_OGR = ("geopandas", "pyogrio", "pyarrow")
_LIBRARIES = {".gpkg": _OGR, ".fgb": _OGR, ".shp": _OGR, ".kml": _OGR, ".parquet": ("geopandas", "pyarrow")}
EXTRA = 'pip install "t2s-agent[geo]"'
# files of other names that belong to a file of that ending; none of them may be another dataset's
PARTS = {".shp": (".shx", ".dbf", ".prj", ".cpg")}
# files that an earlier, larger dataset of this name may have left, or that programs keep beside it
LEFTOVERS = {".shp": (".qix", ".sbn", ".sbx"), ".gpkg": (".gpkg-wal", ".gpkg-shm", ".gpkg-journal")}


def ending_of(path: Path) -> str:
    """Returns the ending that chooses the file type, in lower case. Raises `argument_invalid` for an unknown one."""
    name = path.name.lower()
    if "\0" in str(path):
        raise T2SError("argument_invalid", f"{str(path)!r} holds a null character", "Choose another name")
    if name.endswith(STAC):
        return STAC
    ending = Path(name).suffix
    if ending not in ENDINGS:
        raise T2SError(
            "argument_invalid",
            f"{path.name!r} has no ending that is known" if not ending else f"the ending {ending} of {path.name!r}",
            f"Choose from {', '.join(ENDINGS)}",
        )
    return ending


def check_ending(path: Path | str) -> Path:
    """Returns the path with `~` expanded, if `write` can write such a file there. The folder need not exist yet.

    Raises `argument_invalid` for an unknown ending and for the name of a folder, `output_unwritable` where the folder can neither be
    written nor made, where a library is missing (the error names the extra to install), and where another file would be lost.
    """
    path = Path(path).expanduser()
    ending = ending_of(path)
    missing = [library for library in _LIBRARIES.get(ending, ()) if find_spec(library) is None]
    if missing:
        raise T2SError("output_unwritable", f"{ending} needs {' and '.join(missing)}, not installed", f"Run {EXTRA}")
    try:
        if path.is_dir():
            raise T2SError("argument_invalid", f"{path} is a folder", "Name a file in it")
    except OSError as error:
        raise T2SError("output_unwritable", f"{path} ({error.strerror})", "Choose another name") from error
    demand_writable(path.parent)
    if not path.exists():  # else the user named an existing file, with all files that belong to it
        demand_free([path.with_suffix(part) for part in PARTS.get(ending, ())], path)
    return path


def demand_writable(folder: Path) -> None:
    """Raises `output_unwritable` if a folder can be neither written to nor created."""
    there = folder.absolute()
    demand_no_result(there)
    while not os.path.lexists(there):
        there = there.parent
    if not there.is_dir():
        raise T2SError("output_unwritable", f"{there} is not a folder", "Choose another place")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        why = error.strerror or "no reason is given"
        raise T2SError("output_unwritable", f"{there} cannot be written to ({why})", "Choose another place") from error


def demand_no_result(folder: Path) -> None:
    """Raises `output_unwritable` for the folder of a stored result and what lies in it: a stored result is never changed."""
    resolved = folder.resolve()
    for each in (resolved, *resolved.parents):
        if ID.fullmatch(each.name) and (each / RECORD).is_file():
            raise T2SError(
                "output_unwritable", f"{each} is a stored result, which is never changed", "Choose another place"
            )


def demand_free(files: Iterable[Path], path: Path) -> None:
    """Raises `output_unwritable` if one of the files written beside `path` exists already, because it belongs to another dataset."""
    for file in files:
        if os.path.lexists(file):
            raise T2SError(
                "output_unwritable",
                f"{file.name} is there already and would be overwritten together with {path.name}",
                "Choose another name",
            )
