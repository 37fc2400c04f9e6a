"""`--out`: copies of a result's files where the user wants them."""

import os
import shutil
import tempfile
from pathlib import Path

from t2s_agent.errors import T2SError
from t2s_agent.results.files import MASK, PREVIEW, REGIONS

_FILES = {
    ".geojson": REGIONS,
    ".json": REGIONS,
    ".tif": MASK,
    ".tiff": MASK,
    ".png": PREVIEW,
}


def checked_out(out: Path | None) -> Path | None:
    """The place for copies, `~` resolved, checked before the work is done: is it clear what is wanted, and can it be written?

    Raises `argument_invalid` and `output_unwritable`.
    """
    if out is None:
        return None
    out = out.expanduser()
    if out.suffix and out.suffix.lower() not in _FILES and not out.is_dir():
        raise T2SError("argument_invalid", f"--out {out}", f"Name a folder, or a file that ends in {', '.join(_FILES)}")
    if _single(out) and out.is_dir():
        raise T2SError("argument_invalid", f"--out {out} is a folder", f"Name a file in it: {out / _FILES[out.suffix]}")
    require_writable(out.parent if _single(out) else out)
    return out


def require_writable(folder: Path) -> None:
    """Raises `output_unwritable` where a folder can neither be written to nor be made."""
    there = folder.absolute()
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


def copied(folder: Path, out: Path | None) -> str:
    """Copies a result's files to `out`, each whole or not at all, and says so; empty where nothing was wanted."""
    if out is None:
        return ""
    single = _single(out)
    wanted = {out: folder / single} if single else {out / file.name: file for file in folder.iterdir()}
    try:
        for target, file in wanted.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.{os.getpid()}.part")
            try:
                shutil.copyfile(file, part)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise T2SError(
            "output_unwritable", f"{out} cannot be written ({error.strerror})", f"The result itself is kept in {folder}"
        ) from error
    return f"copied to {out}"


def _single(out: Path) -> str:
    return _FILES.get(out.suffix.lower(), "")
