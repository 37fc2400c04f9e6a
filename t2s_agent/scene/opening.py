"""Opens one image file from an untrusted source, and no other file that it names. docs/explanation/security.md lists the attacks.

A path is resolved, must be inside an allowed root, and is opened once; GDAL gets the descriptor and exactly one driver,
chosen from the first bytes, with fixed settings.
"""

import os
import re
import stat
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from t2s_agent.errors import T2SError
from t2s_agent.scene.ending import ends_early
from t2s_agent.scene.limits import Limits
from t2s_agent.scene.tiff import directories
from t2s_agent.text import one_line

# Set for every open and every read, since reading opens files too. GDAL options in the user's environment have no effect.
# Each value is GDAL's default for the option, or a deliberate other one; tests/data/gdal_options lists the documented options.
PINNED = {
    # which other files are opened
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_PAM_PROXY_DIR": "",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none-allowed",
    "GDAL_HTTP_PROXY": "",
    "GDAL_DRIVER_PATH": "disable",
    "AWS_NO_SIGN_REQUEST": "YES",
    "GDAL_SKIP": "VRT GTI WMS WMTS WCS HTTP STACTA STACIT EEDAI PLMOSAIC ZARR DERIVED NGW DAAS OGCAPI",
    # what is written to the log
    "CPL_CURL_VERBOSE": "NO",
    "CPL_DEBUG": "OFF",
    "CPL_LOG": "",
    "CPL_LOG_ERRORS": "OFF",
    # the values of pixels
    "GDAL_RASTERIO_RESAMPLING": "NEAREST",
    "GDAL_OVERVIEW_OVERSAMPLING_THRESHOLD": "1",  # GDAL's default for averages; reading.py sets that for nearest
    "GDAL_NO_COSTLY_OVERVIEW": "NO",
    "GDAL_TIFF_INTERNAL_MASK": "YES",
    "GDAL_TIFF_INTERNAL_MASK_TO_8BIT": "YES",
    "GDAL_ENABLE_TIFF_SPLIT": "YES",
    "GDAL_TIFF_ENDIANNESS": "NATIVE",
    "TIFF_READ_STREAMING": "NO",
    "GTIFF_IGNORE_READ_ERRORS": "NO",
    "GTIFF_IMPLICIT_JPEG_OVR": "YES",
    "GTIFF_VIRTUAL_MEM_IO": "NO",
    "GTIFF_DIRECT_IO": "NO",
    "GTIFF_HAS_OPTIMIZED_READ_MULTI_RANGE": "NO",
    "GTIFF_USE_DEFER_STRILE_LOADING": "YES",
    "CONVERT_YCBCR_TO_RGB": "YES",
    "GDAL_JPEG_TO_RGB": "YES",
    "JPEG_READ_MASK": "YES",
    "JPEG_MASK_BIT_ORDER": "AUTO",
    "JPEG_FORCE_INTERNAL_OVERVIEWS": "NO",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "NO",
    "GDAL_JPEG_MAX_ALLOWED_SCAN_NUMBER": "100",
    "GDAL_ALLOW_LARGE_LIBJPEG_MEM_ALLOC": "NO",
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "YES",
    "GDAL_PNG_SINGLE_BLOCK": "NO",
    "JP2OPENJPEG_PROMOTE_1BIT_ALPHA_AS_8BIT": "YES",
    "JP2OPENJPEG_USE_THREADED_IO": "NO",
    "USE_OPENJPEG_SINGLE_TILE_OPTIM": "YES",
    "USE_TILE_AS_BLOCK": "NO",
    # the position of pixels
    "GTIFF_POINT_GEO_IGNORE": "NO",
    "GTIFF_HONOUR_NEGATIVE_SCALEY": "NO",
    "GTIFF_LINEAR_UNITS": "DEFAULT",
    "GTIFF_REPORT_COMPD_CS": "NO",  # heights are not used; GDAL's default depends on the file's GeoTIFF version
    "GTIFF_READ_ANGULAR_PARAMS_IN_DEGREE": "NO",
    "GTIFF_SRS_SOURCE": "GEOKEYS",
    "GTIFF_IMPORT_FROM_EPSG": "YES",
    "GTIFF_ESRI_CITATION": "YES",
    "GDAL_USE_GEOJP2": "YES",
    "GDAL_USE_GMLJP2": "YES",
    "GDAL_IGNORE_AXIS_ORIENTATION": "NO",
    "GDAL_JP2K_ALT_OFFSETVECTOR_ORDER": "NO",
    "OSR_ADD_TOWGS84_ON_IMPORT_FROM_EPSG": "NO",
    "OSR_STRIP_TOWGS84": "YES",
    # memory and threads
    "GDAL_CACHEMAX": 64 * 2**20,  # bytes: rasterio passes an integer on unchanged
    "GDAL_BAND_BLOCK_CACHE": "AUTO",
    "GDAL_FORCE_CACHING": "NO",
    "GDAL_NUM_THREADS": "1",
    "GTIFF_MAX_CUMULATED_MEM_USAGE": str(2**30),  # bytes that libtiff may hold for one file
    "GDAL_MAX_BAND_COUNT": "65536",
    "GDAL_SWATH_SIZE": "10000000",
    "VSI_CACHE": "NO",
}
# Errors of damaged files: rasterio does not convert all of GDAL's errors.
DAMAGE = (RasterioError, CPLE_BaseError, ValueError, TypeError, OverflowError, UnicodeDecodeError)
_NEIGHBOURS = (
    ".tfw",
    ".tifw",
    ".jpgw",
    ".pngw",
    ".wpw",
    ".jpw",
    ".wld",
    ".jgw",
    ".pgw",
    ".aux.xml",
    ".ovr",
    ".msk",
    ".rpb",
    "_rpc.txt",
    ".imd",
    ".j2w",
    ".prj",
)


@contextmanager
def ignore_not_georeferenced() -> Iterator[None]:
    """Silences rasterio's warning about a file without a georeference: a scene has it in its `warnings`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def driver_of(head: bytes) -> str:
    """The GDAL driver for a file with these first bytes; empty for an unsupported format."""
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

    Raises the same `image_not_found` for a path outside the roots and for a missing file: a difference would reveal files.
    """
    text = str(path)
    if not _is_text(text):
        raise T2SError(
            "image_not_found", f"the name {_printable(text)!r} is not UTF-8", "Rename the file, and name it again"
        )
    listed = [Path(os.path.realpath(root)) for root in roots]
    if "\x00" not in text and text:
        for root in listed:
            real = Path(os.path.realpath(root / text))
            if any(real.is_relative_to(allowed) for allowed in listed) and os.path.lexists(real):
                return real
    raise T2SError(
        "image_not_found",
        f"there is no image {_printable(text)!r} in the allowed folders",
        "Name a file in one of them",
    )


def open_descriptor(real: Path) -> int:
    """A descriptor of a regular file. Raises `image_unreadable` if the path was replaced after it was resolved."""
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


def open_dataset(
    descriptor: int, real: Path, limits: Limits, *, opener: Callable[..., object] | None = None, key: str = ""
) -> rasterio.DatasetReader:
    """The dataset of a descriptor, checked against the limits and for tags that name other files.

    `opener` gives GDAL a file object instead of the descriptor, for a file of which not all is there; rasterio tells openers
    apart by `key`. Call it, and every later use of the dataset, inside `rasterio.Env(**PINNED)`.
    """
    head = os.pread(descriptor, 32, 0)
    driver = driver_of(head)
    if not head:
        raise unreadable(real, "is empty")
    if not driver:
        raise unreadable(real, "is not a GeoTIFF, PNG, JPEG, WebP or JPEG 2000 file")
    if driver == "WEBP" and head[12:16] == b"VP8X" and head[20:21] > b"" and head[20] & 2:
        raise unreadable(real, "is an animation")
    if ends_early(descriptor, driver):
        raise unreadable(real, "is truncated: it ends before its picture does")
    linked = Path(f"/proc/self/fd/{descriptor}")
    name = linked if linked.exists() else real
    if opener is not None:
        name = Path(f"/{key}/image")
    elif name is real:
        on_disk, held = real.stat(), os.fstat(descriptor)
        if (on_disk.st_dev, on_disk.st_ino) != (held.st_dev, held.st_ino):
            raise unreadable(real, "was replaced while it was opened")
    try:
        with ignore_not_georeferenced():
            dataset = rasterio.open(name, driver=driver, opener=opener)
    except DAMAGE as error:
        if codec := missing_codec(error):
            raise T2SError("image_unreadable", f"{_printable(real.name)} {codec.what}", codec.fix) from error
        raise unreadable(real, "is damaged or truncated") from error
    try:
        _check_limits(dataset, real, limits, descriptor)
        _check_tags(dataset, real)
    except T2SError:
        dataset.close()
        raise
    except DAMAGE as error:
        dataset.close()
        raise unreadable(real, "is damaged") from error
    return dataset


def neighbours(real: Path) -> list[str]:
    """Names, for messages, of files next to an image that other programs would read with it."""
    endings = (*_NEIGHBOURS, *map(str.upper, _NEIGHBOURS))
    names = {base + end for base in (real.stem, real.name) for end in endings}
    return sorted(_printable(name) for name in names if name != real.name and os.path.lexists(real.parent / name))


@dataclass(frozen=True, slots=True)
class Codec:
    """A compression that this GDAL cannot decode: the text for an error, and the fix."""

    what: str
    fix: str


_CODECS = {
    "JXL": "JPEG XL", "JP2000": "JPEG 2000", "34712": "JPEG 2000", "JBIG": "JBIG", "LERC": "LERC", "LZMA": "LZMA", "ZSTD": "Zstandard",
    "WEBP": "WebP", "50002": "JPEG XL", "52546": "JPEG XL", "9": "JBIG (T.85)", "10": "JBIG (T.43)", "33003": "Aperio JPEG 2000",
    "33005": "Aperio JPEG 2000", "34925": "LZMA", "34887": "LERC", "34892": "lossy JPEG of DNG", "33007": "ALT JPEG",
}  # fmt: skip
_NO_CODEC = re.compile(
    r"missing codec (?:of code )?(\w+)|(\w+) compression support is not configured|(?:data precision|samples?)[ :]+(12)\b|"
    r"(?:BitsPerSample|precision) (12)\b|(12)-?bit JPEG",
    re.IGNORECASE,
)


def missing_codec(error: BaseException) -> Codec | None:
    """The compression that GDAL's error reports as missing; None for other errors."""
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None:
            return None
        found = _NO_CODEC.search(str(cause))
        if found:
            name = next(group for group in found.groups() if group)
            shown = (
                "12-bit JPEG" if name == "12" else _CODECS.get(name.upper(), f"a codec that has number {name} in TIFF")
            )
            return Codec(
                f"is compressed with {shown}, which this installation cannot decode",
                "Convert it with a program that can, for example gdal_translate -co COMPRESS=DEFLATE",
            )
        cause = cause.__cause__ or cause.__context__
    return None


def _check_limits(dataset: rasterio.DatasetReader, real: Path, limits: Limits, descriptor: int) -> None:
    width, height = dataset.width, dataset.height
    if width < 1 or height < 1 or dataset.count < 1:
        raise unreadable(real, "has no bands")
    blocked = dataset.driver in ("GTiff", "JP2OpenJPEG")
    most = limits.pixels if blocked else limits.whole_pixels
    block = _largest_block(dataset, descriptor)
    for value, bound, what in (
        (max(width, height), limits.side, f"{width} x {height} px; a side may have {limits.side}"),
        (width * height, most, f"{width} x {height} px; {most} pixels are allowed"),
        (dataset.count, limits.bands, f"{dataset.count} bands; {limits.bands} are allowed"),
        (block, limits.block_bytes, f"blocks of {block} bytes; {limits.block_bytes} are allowed"),
    ):
        if value > bound:
            raise T2SError(
                "limit_exceeded",
                f"{_printable(real.name)} has {what}",
                "Write it again in smaller tiles, or raise the limit",
            )


def _largest_block(dataset: rasterio.DatasetReader, descriptor: int) -> int:
    """Bytes of the largest decoded block of image, overviews and masks, from the headers only."""
    item = max(_bytes_of(kind) for kind in dataset.dtypes)
    rows, columns = (max(n) for n in zip(*dataset.block_shapes, strict=True))
    if dataset.driver == "JP2OpenJPEG":
        return int(rows * columns * dataset.count * 4)  # OpenJPEG decodes to 32-bit numbers
    together = dataset.interleaving is not None and dataset.interleaving.name.lower() == "pixel"
    largest = int(rows * columns * item * (dataset.count if together else 1))
    if dataset.driver != "GTiff":
        return largest
    read = [each for each in directories(descriptor)[1:] if each.overview or each.mask]
    # GDAL reads a single uncompressed strip line by line
    lines = [
        each.compression == 1 and (each.block_width, each.block_height) == (each.width, each.height) for each in read
    ]
    return max([largest, *(each.block_bytes for each, line in zip(read, lines, strict=True) if not line)])


def _bytes_of(kind: str) -> int:
    return {"uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "float32": 4, "int32": 4, "uint32": 4}.get(kind, 16)


def _check_tags(dataset: rasterio.DatasetReader, real: Path) -> None:
    """Refuses tags that name other files or addresses: overviews, geolocation arrays, elevation models."""
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
    return T2SError(
        "image_unreadable", f"{_printable(real.name)} {why}", "Convert it, for example with gdal_translate to GeoTIFF"
    )


def _printable(name: str) -> str:
    """A file's name for errors and warnings."""
    return one_line(name, 120)


def _is_text(name: str) -> bool:
    """Whether a file's name can be encoded as UTF-8, as records and answers require."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
