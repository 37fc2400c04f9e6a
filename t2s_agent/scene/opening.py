"""Opens one file that a stranger may have made, and nothing else that it names. docs/security.md has every attack.

A path is resolved, must lie in an allowed root, and is opened once; GDAL gets the descriptor and exactly one driver,
chosen from the first bytes, with its settings pinned by us.
"""

import os
import stat
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from t2s_agent.errors import T2SError
from t2s_agent.scene.limits import Limits

# Active at every open and every read: reading opens files too. What a user's environment says of GDAL does not count.
PINNED = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none-allowed",
    "CPL_CURL_VERBOSE": "NO",
    "CPL_DEBUG": "OFF",
    "CPL_LOG": "",
    "GDAL_CACHEMAX": 64
    * 2**20,  # bytes: rasterio hands an int on as they are, and with 64 of them every block is decoded anew
    "GDAL_NUM_THREADS": "1",
    "GDAL_TIFF_INTERNAL_MASK": "YES",
    "GDAL_HTTP_PROXY": "",
    "GDAL_DRIVER_PATH": "disable",
    "GTIFF_VIRTUAL_MEM_IO": "NO",
    "AWS_NO_SIGN_REQUEST": "YES",
    "GDAL_SKIP": "VRT GTI WMS WMTS WCS HTTP STACTA STACIT EEDAI PLMOSAIC ZARR DERIVED NGW DAAS OGCAPI",
}
# What a damaged file may raise: rasterio lets some of GDAL's errors through as they are.
DAMAGE = (RasterioError, CPLE_BaseError, ValueError, TypeError, OverflowError, UnicodeDecodeError)
_NEIGHBOURS = (".tfw", ".wld", ".jgw", ".pgw", ".aux.xml", ".ovr", ".msk", ".rpb", "_rpc.txt", ".imd", ".j2w", ".prj")


@contextmanager
def placeless() -> Iterator[None]:
    """A file without a georeference is nothing to warn of on standard error: a scene says it in its own `warnings`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def driver_of(head: bytes) -> str:
    """The one GDAL driver for a file that begins so; empty where we open no such kind."""
    if head[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return "GTiff"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")):
        return "JP2OpenJPEG"
    return ""


def resolve(path: Path | str, roots: Sequence[Path]) -> Path:
    """The real path of an image inside one of the roots.

    Outside of all roots and not there at all are the same `image_not_found`: the difference would list files.
    """
    text = str(path)
    listed = [Path(os.path.realpath(root)) for root in roots]
    if "\x00" not in text and text:
        for root in listed:
            real = Path(os.path.realpath(root / text))
            if any(real.is_relative_to(allowed) for allowed in listed) and os.path.lexists(real):
                return real
    shown = text.replace("\x00", "\\0")[:120]
    raise T2SError(
        "image_not_found", f"there is no image {shown!r} in the allowed folders", "Name a file in one of them"
    )


def open_descriptor(real: Path) -> int:
    """A descriptor of a regular file whose path is still what it was resolved to."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(real, flags)
    except OSError as error:
        raise unreadable(real, f"cannot be opened ({error.strerror})") from error
    opened = os.fstat(descriptor)
    moved = sys.platform == "linux" and Path(f"/proc/self/fd/{descriptor}").readlink() != real
    if not stat.S_ISREG(opened.st_mode) or moved:
        os.close(descriptor)
        raise unreadable(real, "is not a regular file")
    return descriptor


def open_dataset(descriptor: int, real: Path, limits: Limits) -> rasterio.DatasetReader:
    """The dataset behind a descriptor, checked against the limits and for tags that name other files.

    Called, like everything that touches the dataset later, inside `rasterio.Env(**PINNED)`.
    """
    head = os.pread(descriptor, 16, 0)
    driver = driver_of(head)
    if not head:
        raise unreadable(real, "is empty")
    if not driver:
        raise unreadable(real, "is no GeoTIFF, PNG, JPEG, WebP or JPEG 2000")
    linked = Path(f"/proc/self/fd/{descriptor}")
    name = linked if linked.exists() else real
    if name is real:
        on_disk, held = real.stat(), os.fstat(descriptor)
        if (on_disk.st_dev, on_disk.st_ino) != (held.st_dev, held.st_ino):
            raise unreadable(real, "was exchanged while it was opened")
    try:
        with placeless():
            dataset = rasterio.open(name, driver=driver)
    except DAMAGE as error:
        raise unreadable(real, "is damaged or truncated") from error
    try:
        _check_limits(dataset, real, limits)
        _check_tags(dataset, real)
    except T2SError:
        dataset.close()
        raise
    except DAMAGE as error:
        dataset.close()
        raise unreadable(real, "is damaged") from error
    return dataset


def neighbours(real: Path) -> list[str]:
    """Names of files beside an image that other programs would read with it and we do not."""
    names = {real.stem + end for end in _NEIGHBOURS} | {real.name + end for end in _NEIGHBOURS}
    return sorted(name for name in names if name != real.name and os.path.lexists(real.parent / name))


def _check_limits(dataset: rasterio.DatasetReader, real: Path, limits: Limits) -> None:
    width, height = dataset.width, dataset.height
    if width < 1 or height < 1 or dataset.count < 1:
        raise unreadable(real, "holds no bands")
    blocked = dataset.driver in ("GTiff", "JP2OpenJPEG")
    most = limits.pixels if blocked else limits.whole_pixels
    item = max(_bytes_of(kind) for kind in dataset.dtypes)
    rows, columns = (max(n) for n in zip(*dataset.block_shapes, strict=True))
    bands = dataset.count if dataset.interleaving and dataset.interleaving.name.lower() == "pixel" else 1
    block = rows * columns * item * bands
    for value, bound, what in (
        (max(width, height), limits.side, f"{width} x {height} px; a side may have {limits.side}"),
        (width * height, most, f"{width} x {height} px; {most} pixels are allowed"),
        (dataset.count, limits.bands, f"{dataset.count} bands; {limits.bands} are allowed"),
        (block, limits.block_bytes, f"blocks of {block} bytes; {limits.block_bytes} are allowed"),
    ):
        if value > bound:
            raise T2SError("limit_exceeded", f"{real.name} has {what}", "Write it anew in tiles, or raise the limit")


def _bytes_of(kind: str) -> int:
    return {"uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "float32": 4, "int32": 4, "uint32": 4}.get(kind, 16)


def _check_tags(dataset: rasterio.DatasetReader, real: Path) -> None:
    """A plain GeoTIFF can name its overviews, geolocation arrays and elevation model: other files, or addresses."""
    named: Iterable[tuple[str, tuple[str, ...]]] = (
        ("OVERVIEWS", ("OVERVIEW_FILE",)),
        ("GEOLOCATION", ("X_DATASET", "Y_DATASET")),
        ("RPC", ("RPC_DEM",)),
        ("", ("RPC_DEM", "OVERVIEW_FILE")),
    )
    for band in range(dataset.count + 1 if dataset.count <= 64 else 1):
        for domain, keys in named:
            tags = dataset.tags(band, ns=domain) if domain else dataset.tags(band)
            found = next((key for key in keys if key in {name.upper() for name in tags}), None)
            if found:
                raise unreadable(real, f"has a tag {found}, which names another file")


def unreadable(real: Path, why: str) -> T2SError:
    return T2SError("image_unreadable", f"{real.name} {why}", "Convert it, for example with gdal_translate to GeoTIFF")
