"""Writes a stored result as one file, completely or not at all: into a temporary folder first, then renamed."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from t2s_agent.errors import T2SError
from t2s_agent.results.export.copies import write_geojson, write_picture, write_tiff
from t2s_agent.results.export.endings import LEFTOVERS, STAC, check_ending, demand_free, ending_of
from t2s_agent.results.export.stac import write_stac
from t2s_agent.results.export.table import write_csv
from t2s_agent.results.export.vector import (
    write_flatgeobuf,
    write_geopackage,
    write_kml,
    write_parquet,
    write_shapefile,
)
from t2s_agent.results.record import Record

Writer = Callable[[Record, Path, Path], None]  # arguments: record, folder of the stored result, file to write


def write(path: Path | str, record: Record, folder: Path) -> Path:
    """Writes a stored result with its files in `folder` as the file type of the ending of `path`; returns the path.

    A file of that name is replaced. Folders that are missing are made. Raises what `check_ending` raises, `no_georeference` for KML of
    an image without a place on Earth, and `output_unwritable` where writing fails: then what was there is as it was.
    """
    path = check_ending(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            # in the same folder, so that renaming stays on one file system
            beside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".t2s-", dir=path.parent)))
            _WRITERS[ending_of(path)](record, folder, beside / path.name)
            _put(beside, path)
    except OSError as error:
        raise T2SError(
            "output_unwritable",
            f"{path} cannot be written ({error.strerror or error})",
            f"The result itself is kept in {folder}",
        ) from error
    return path


def _put(beside: Path, path: Path) -> None:
    """Moves the written files to their final place, the named file last.

    Where there is no file of that name, a file that would come beside it may be another one's: `output_unwritable`.
    """
    others = [path.with_name(file.name) for file in beside.iterdir() if file.name != path.name]
    if not path.exists():
        demand_free(others, path)
    for leftover in LEFTOVERS.get(ending_of(path), ()):
        path.with_suffix(leftover).unlink(missing_ok=True)
    for file in sorted(beside.iterdir(), key=lambda file: file.name == path.name):
        file.replace(path.with_name(file.name))


_WRITERS: dict[str, Writer] = {
    ".gpkg": write_geopackage,
    ".parquet": write_parquet,
    ".fgb": write_flatgeobuf,
    ".geojson": write_geojson,
    ".json": write_geojson,
    ".shp": write_shapefile,
    ".kml": write_kml,
    ".csv": write_csv,
    ".tif": write_tiff,
    ".tiff": write_tiff,
    ".png": write_picture,
    STAC: write_stac,
}
