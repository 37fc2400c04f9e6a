"""Reads trusted files next to an image (`trust_sidecars`): a world file, a CRS, an overview, a mask.

GDAL does not search for them. World file and CRS are parsed here and give only numbers and a CRS. An overview or a mask is
opened like an image: no links are followed, one driver is chosen from its first bytes, the same limits apply.
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

_LARGEST = 2**20  # bytes of a text file: GDAL's .aux.xml of large rasters have a few kilobytes
_FIX = "Repair or remove it, or do not set trust_sidecars"


@dataclass(frozen=True, slots=True)
class Opened:
    """An open raster next to the image, and its descriptor."""

    dataset: rasterio.DatasetReader
    descriptor: int

    def close(self) -> None:
        self.dataset.close()
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class Sidecars:
    """The content of trusted files next to an image. `used` are the names of the files that were read.

    `first`: transform and CRS are preferred to those of the image, as GDAL does for an .aux.xml.
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
    """Reads the trusted files next to an image. Raises `image_unreadable` for a file with the wrong content, and
    `limit_exceeded` for one that is too large.

    Call it inside `rasterio.Env(**PINNED)`.
    """
    used: list[str] = []
    transform = crs = None
    aux = _find_sidecar(real, real.name, ".aux.xml")
    if aux:
        transform, crs = _from_aux(aux)
        used += [aux.name] if transform or crs else []
    first = bool(used)
    if transform is None and (world := _world_file(real)):
        transform = _from_world_file(world)
        used.append(world.name)
    if crs is None and (prj := _find_sidecar(real, real.stem, ".prj")):
        crs = _parse_crs(_read_text(prj), prj)
        used.append(prj.name)
    mask = overviews = None
    try:
        if path := _find_sidecar(real, real.name, ".msk"):
            mask = _open_raster(path, dataset, limits, same_size=True)
            used.append(path.name)
        if path := _find_sidecar(real, real.name, ".ovr"):
            overviews = _open_raster(path, dataset, limits, same_size=False)
            used.append(path.name)
    except T2SError:
        if mask is not None:
            mask.close()
        raise
    return Sidecars(transform, crs, first, overviews, mask, tuple(used))


def _find_sidecar(real: Path, base: str, ending: str) -> Path | None:
    """The file `base` + `ending` next to an image, with the ending in lower or upper case; None where there is none."""
    paths = [real.parent / (base + each) for each in (ending.lower(), ending.upper())]
    return next((path for path in paths if os.path.lexists(path)), None)


def _world_file(real: Path) -> Path | None:
    """The world file of an image. Its ending is, by ESRI's rule, first and last letter of the image's and w, or the whole and w."""
    ending = real.suffix.removeprefix(".")
    pairs = [(real.stem, f".{ending[:1]}{ending[-1:]}w"), (real.stem, f".{ending}w"), (real.stem, ".wld")]
    return next((path for base, end in pairs if (path := _find_sidecar(real, base, end))), None)


def _refusal(path: Path, why: str) -> T2SError:
    return T2SError("image_unreadable", f"{one_line(path.name, 120)} beside the image {why}", _FIX)


def _read_text(path: Path) -> str:
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
        raise _refusal(path, "is not a text file") from error


def _parse_numbers(text: str, path: Path) -> list[float]:
    """The six finite numbers of a text. Raises `image_unreadable` for anything else."""
    try:
        numbers = [float(part) for part in text.replace(",", " ").split()]
    except ValueError as error:
        raise _refusal(path, "does not hold six numbers") from error
    if len(numbers) != 6 or not all(map(math.isfinite, numbers)):
        raise _refusal(path, "does not hold six finite numbers")
    return numbers


def _from_world_file(path: Path) -> Affine:
    """The transform of a world file with the lines A, D, B, E, C, F. C and F are the centre of the first pixel, not its corner."""
    a, d, b, e, c, f = _parse_numbers(_read_text(path), path)
    return _check_invertible(Affine(a, b, c - a / 2 - b / 2, d, e, f - d / 2 - e / 2), path)


def _check_invertible(transform: Affine, path: Path) -> Affine:
    if transform.determinant == 0:
        raise _refusal(path, "has a degenerate transform")
    return transform


def _parse_crs(text: str, path: Path) -> CRS:
    """The CRS of a text in WKT, also in ESRI's dialect. Codes, PROJ strings and addresses are not accepted."""
    if "[" not in text or not text.lstrip()[:1].isalpha():
        raise _refusal(path, "does not hold a coordinate reference system in WKT")
    try:
        return CRS.from_wkt(text.strip(), morph_from_esri_dialect=path.suffix.lower() == ".prj")
    except CRSError as error:
        raise _refusal(path, "holds a coordinate reference system that PROJ does not understand") from error


def _from_aux(path: Path) -> tuple[Affine | None, CRS | None]:
    """Transform and CRS of GDAL's .aux.xml; everything else in it is ignored."""
    root = _parse_xml(path)
    numbers, wkt = root.findtext("GeoTransform"), root.findtext("SRS")
    transform = None
    if numbers and numbers.strip():
        transform = _check_invertible(Affine.from_gdal(*_parse_numbers(numbers, path)), path)
    return transform, _parse_crs(wkt, path) if wkt and wkt.strip() else None


def _parse_xml(path: Path) -> ElementTree.Element:
    """The root element of an XML file. A document type is refused: its entities can grow without limit or name other files."""
    text = _read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise _refusal(path, "has a document type, which is not read")
    try:
        return ElementTree.fromstring(text)  # noqa: S314 (bounded, and no document type)
    except (ElementTree.ParseError, ValueError) as error:
        raise _refusal(path, "is not XML") from error


def _open_raster(path: Path, image: rasterio.DatasetReader, limits: Limits, *, same_size: bool) -> Opened:
    """An open mask (of the image's size) or overview (smaller, with the same bands and aspect ratio)."""
    descriptor = open_descriptor(path)
    try:
        dataset = open_dataset(descriptor, path, limits)
    except T2SError:
        os.close(descriptor)
        raise
    opened = Opened(dataset, descriptor)
    width, height = dataset.width, dataset.height
    if same_size:
        matches = (width, height) == (image.width, image.height)
    else:
        factor = image.width / width
        matches = factor > 1 and abs(image.height / factor - height) <= 1
        matches = matches and dataset.count == image.count and set(dataset.dtypes) == set(image.dtypes)
    if dataset.driver != "GTiff" or not matches:
        opened.close()
        raise _refusal(path, f"does not match it: {width} x {height} px")
    return opened
