"""Writes a result's files for `--out`: all files into a folder, or one file of the type that the name ends in."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from t2s_agent.errors import T2SError

if TYPE_CHECKING:
    from t2s_agent.results.record import Record

OUT_HELP = (
    "write the result here too: a folder, or a file .gpkg, .parquet, .fgb, .geojson, .shp, .kml, .csv, .tif, .png"
)


def checked_out(out: Path | None) -> Path | None:
    """Returns the path for `--out` with `~` expanded, after checks that its type is clear and that it can be written.

    A name without an ending is a folder. Raises `argument_invalid` and `output_unwritable`, which names a library that is missing.
    """
    if out is None:
        return None
    from t2s_agent.results.export.endings import ENDINGS, check_ending, demand_writable

    out = out.expanduser()
    if _is_file(out):
        if not _is_known(out):
            raise T2SError(
                "argument_invalid", f"--out {out}", f"Name a folder, or a file that ends in {', '.join(ENDINGS)}"
            )
        return check_ending(out)
    demand_writable(out)
    return out


def copied(result: "Record", folder: Path, out: Path | None) -> str:
    """Writes a result, whose files are in `folder`, to `out`, each file completely or not at all.

    Returns a message that says where, and which files it replaced; "" without `out`.
    """
    if out is None:
        return ""
    image = Path(result.scene.path)
    if out.exists() and image.exists() and out.samefile(image):
        raise T2SError("argument_invalid", f"--out {out} is the image itself", "Name another file")
    if _is_file(out):
        from t2s_agent.results.export import write

        instead = ", in place of the file of that name" if out.exists() else ""
        return f"written to {write(out, result, folder)}{instead}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        files = [file for file in folder.iterdir() if not file.name.startswith(".")]
        replaced = [file.name for file in files if (out / file.name).exists()]
        for file in files:
            _copy(file, out / file.name)
    except OSError as error:
        raise T2SError(
            "output_unwritable", f"{out} cannot be written ({error.strerror})", f"The result itself is kept in {folder}"
        ) from error
    return f"copied to {out}" + (f", in place of {', '.join(sorted(replaced))}" if replaced else "")


def _copy(file: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        shutil.copyfile(file, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _is_file(out: Path) -> bool:
    """Whether `out` names a file. An existing folder may have a dot in its name, but not the ending of a file type."""
    return _is_known(out) or (bool(out.suffix) and not out.is_dir())


def _is_known(out: Path) -> bool:
    from t2s_agent.results.export.endings import ENDINGS, STAC

    return out.suffix.lower() in ENDINGS or out.name.lower().endswith(STAC)
