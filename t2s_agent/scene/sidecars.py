"""Files beside an image that a person says are theirs (`trust_sidecars`): a world file, a CRS, an overview, a mask.

GDAL never looks for them. World file and CRS are parsed here and give numbers and a CRS, nothing else; an overview or a mask is
opened as an image is: no links followed, one driver by its first bytes, within the same limits.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

from t2s_agent.errors import T2SError
from t2s_agent.scene.limits import Limits
from t2s_agent.scene.opening import open_dataset, open_descriptor
from t2s_agent.text import one_line

_LARGEST = 2**20  # bytes of a text: GDAL's own .aux.xml of large rasters have some kilobytes
_FIX = "Mend or remove it, or leave out trust_sidecars"


@dataclass(frozen=True, slots=True)
class Opened:
    """A raster beside the image, and the descriptor that it is read from."""

    dataset: rasterio.DatasetReader
    descriptor: int

    def close(self) -> None:
        self.dataset.close()
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class Sidecars:
    """What lies beside an image and is trusted. `used` are the names of the files that were read.

    `first` says that transform and CRS come before the image's own, as those of an .aux.xml do in GDAL.
    """

    transform: Affine | None = None
    crs: CRS | None = None
    first: bool = False
    overviews: Opened | None = None
    mask: Opened | None = None
    used: tuple[str, ...] = ()

    def close(self) -> None:
        for opened in (self.overviews, self.mask):
            if opened is not None:
                opened.close()


NONE = Sidecars()


def read_sidecars(real: Path, dataset: rasterio.DatasetReader, limits: Limits) -> Sidecars:
    """Reads what lies beside an image. Raises `image_unreadable` for a file that is not what its name says, and
    `limit_exceeded` for one that is too large.

    Called inside `rasterio.Env(**PINNED)`.
    """
    used: list[str] = []
    transform = crs = None
    aux = _beside(real, real.name, ".aux.xml")
    if aux:
        transform, crs = _from_aux(aux)
        used += [aux.name] if transform or crs else []
    first = bool(used)
    if transform is None and (world := _world_file(real)):
        transform = _from_world_file(world)
        used.append(world.name)
    if crs is None and (prj := _beside(real, real.stem, ".prj")):
        crs = _crs_of(_text(prj), prj)
        used.append(prj.name)
    mask = overviews = None
    try:
        if path := _beside(real, real.name, ".msk"):
            mask = _opened(path, dataset, limits, same_size=True)
            used.append(path.name)
        if path := _beside(real, real.name, ".ovr"):
            overviews = _opened(path, dataset, limits, same_size=False)
            used.append(path.name)
    except T2SError:
        if mask is not None:
            mask.close()
        raise
    return Sidecars(transform, crs, first, overviews, mask, tuple(used))


def _beside(real: Path, base: str, ending: str) -> Path | None:
    """The file beside an image that is called `base` and `ending`, the ending in lower or upper case, as cameras and Windows write it."""
    paths = [real.parent / (base + each) for each in (ending.lower(), ending.upper())]
    return next((path for path in paths if os.path.lexists(path)), None)


def _world_file(real: Path) -> Path | None:
    """The world file of an image, by ESRI's rule: first and last letter of its ending and a w, or its ending and a w."""
    ending = real.suffix.removeprefix(".")
    pairs = [(real.stem, f".{ending[:1]}{ending[-1:]}w"), (real.stem, f".{ending}w"), (real.stem, ".wld")]
    return next((path for base, end in pairs if (path := _beside(real, base, end))), None)


def _refused(path: Path, why: str) -> T2SError:
    return T2SError("image_unreadable", f"{one_line(path.name, 120)} beside the image {why}", _FIX)


def _text(path: Path) -> str:
    descriptor = open_descriptor(path)
    try:
        raw = os.read(descriptor, _LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(raw) > _LARGEST:
        raise T2SError("limit_exceeded", f"{one_line(path.name, 120)} has more than {_LARGEST} bytes", _FIX)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(path, "is no text") from error


def _numbers(text: str, path: Path) -> list[float]:
    """Six finite numbers."""
    try:
        numbers = [float(part) for part in text.replace(",", " ").split()]
    except ValueError as error:
        raise _refused(path, "does not hold six numbers") from error
    if len(numbers) != 6 or not all(map(math.isfinite, numbers)):
        raise _refused(path, "does not hold six finite numbers")
    return numbers


def _from_world_file(path: Path) -> Affine:
    """Its six lines are A, D, B, E, C, F; C and F are of the centre of the first pixel, a transform's of its outer corner."""
    a, d, b, e, c, f = _numbers(_text(path), path)
    return _invertible(Affine(a, b, c - a / 2 - b / 2, d, e, f - d / 2 - e / 2), path)


def _invertible(transform: Affine, path: Path) -> Affine:
    if transform.determinant == 0:
        raise _refused(path, "does not place pixels: its numbers are degenerate")
    return transform


def _crs_of(text: str, path: Path) -> CRS:
    """A CRS in WKT, ESRI's way of writing it too. Codes, PROJ strings and addresses are not taken."""
    if "[" not in text or not text.lstrip()[:1].isalpha():
        raise _refused(path, "does not hold a coordinate reference system in WKT")
    try:
        return CRS.from_wkt(text.strip(), morph_from_esri_dialect=path.suffix.lower() == ".prj")
    except CRSError as error:
        raise _refused(path, "holds a coordinate reference system that PROJ does not understand") from error


def _from_aux(path: Path) -> tuple[Affine | None, CRS | None]:
    """Transform and CRS of GDAL's .aux.xml; nothing else of it is looked at."""
    root = _parsed(path)
    numbers, wkt = root.findtext("GeoTransform"), root.findtext("SRS")
    transform = None
    if numbers and numbers.strip():
        transform = _invertible(Affine.from_gdal(*_numbers(numbers, path)), path)
    return transform, _crs_of(wkt, path) if wkt and wkt.strip() else None


def _parsed(path: Path) -> ElementTree.Element:
    """XML without a document type: that is where entities come from, which can grow without end or name other files."""
    text = _text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise _refused(path, "has a document type, which is not read")
    try:
        return ElementTree.fromstring(text)  # noqa: S314 (bounded, and no document type)
    except (ElementTree.ParseError, ValueError) as error:
        raise _refused(path, "is no XML") from error


def _opened(path: Path, image: rasterio.DatasetReader, limits: Limits, *, same_size: bool) -> Opened:
    """A mask (as large as the image) or an overview (of the same bands and shape, smaller)."""
    descriptor = open_descriptor(path)
    try:
        dataset = open_dataset(descriptor, path, limits)
    except T2SError:
        os.close(descriptor)
        raise
    opened = Opened(dataset, descriptor)
    width, height = dataset.width, dataset.height
    if same_size:
        fits = (width, height) == (image.width, image.height)
    else:
        factor = image.width / width
        fits = factor > 1 and abs(image.height / factor - height) <= 1
        fits = fits and dataset.count == image.count and set(dataset.dtypes) == set(image.dtypes)
    if dataset.driver != "GTiff" or not fits:
        opened.close()
        raise _refused(path, f"does not fit it: {width} x {height} px")
    return opened
