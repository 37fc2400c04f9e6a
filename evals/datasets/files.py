"""Bytes by name from a folder or a tar, and pictures and masks from bytes.

Pixels are taken as they are stored: a tag that asks viewers to turn the picture (Exif orientation) is not followed, as the
product does not follow it. Truth masks have the stored pixels too; `python -m evals.datasets check` names files with such a tag.
"""

import io
import tarfile
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from evals.datasets.problems import BrokenSample
from evals.datasets.sample import Image, TruthMask
from t2s_agent.errors import T2SError

PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # more than 8 bits a band
_HALF = 127  # JPEG masks have values between: those above are taken for the object
_ORIENTATION = 274


class Files(ABC):
    """Files by name, read as often as wanted. Nothing is kept open, so that processes may share it."""

    @abstractmethod
    def __contains__(self, name: object) -> bool: ...

    @abstractmethod
    def names(self) -> list[str]:
        """All names, sorted."""

    @abstractmethod
    def where(self, name: str) -> str:
        """The name as people find the file."""

    @abstractmethod
    def _bytes(self, name: str) -> bytes: ...

    def read(self, name: str) -> bytes:
        """The bytes of a file; BrokenSample where there is none or it cannot be read."""
        if name not in self:
            raise BrokenSample("missing", self.where(name), "no such file")
        try:
            return self._bytes(name)
        except OSError as error:
            raise BrokenSample("broken", self.where(name), f"cannot be read: {error}") from error


class Folder(Files):
    """The files of a folder and of its subfolders. Names that lead out of it are refused."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _inside(name) and (self.root / name).is_file()

    def names(self) -> list[str]:
        if not self.root.is_dir():
            return []
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())

    def where(self, name: str) -> str:
        return str(self.root / name)

    def _bytes(self, name: str) -> bytes:
        return (self.root / name).read_bytes()


class Tar(Files):
    """The files of an uncompressed tar, found by their offsets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.doubled: list[str] = []
        self._places: dict[str, tuple[int, int]] = {}
        try:
            with tarfile.open(path, "r:") as tar:
                for member in tar:
                    if not member.isreg():
                        continue
                    if member.name in self._places:
                        self.doubled.append(member.name)
                    self._places[member.name] = member.offset_data, member.size
        except (OSError, tarfile.TarError) as error:
            raise T2SError("argument_invalid", f"{path} is not an uncompressed tar: {error}", "Give a tar") from error

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def names(self) -> list[str]:
        return sorted(self._places)

    def where(self, name: str) -> str:
        return f"{self.path}:{name}"

    def _bytes(self, name: str) -> bytes:
        offset, size = self._places[name]
        with self.path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) < size:
            raise OSError("the tar ends in the middle of it")
        return data


def _inside(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return bool(name) and "\0" not in name and not path.is_absolute() and ".." not in path.parts


def picture(files: Files, name: str) -> Image:
    """The picture (H, W, 3) in a file, 8 bits a band; grey ones are repeated, transparency is left out."""
    where = files.where(name)
    opened = _decoded(files.read(name), where)
    if opened.mode in _DEEP:
        raise BrokenSample(
            "broken", where, f"has more than 8 bits a band ({opened.mode}); how to stretch it is not known"
        )
    return np.asarray(opened.convert("RGB"), dtype=np.uint8)


def size_of(files: Files, name: str) -> tuple[int, int]:
    """Height and width of a picture, from its first bytes."""
    where = files.where(name)
    try:
        with Pillow.open(io.BytesIO(files.read(name))) as opened:
            return opened.height, opened.width
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise BrokenSample("broken", where, f"is no picture: {_reason(error)}") from error


def orientation(files: Files, name: str) -> int:
    """The orientation (Exif 274) that a file asks viewers for, 1 where it asks for none."""
    with Pillow.open(io.BytesIO(files.read(name))) as opened:
        return int(opened.getexif().get(_ORIENTATION, 1))


def values(files: Files, name: str, size: tuple[int, int] | None = None) -> NDArray[np.integer]:
    """The values (H, W) or (H, W, bands) of a mask's file, palette indices where it has a palette; `size` is what it must have."""
    where = files.where(name)
    opened = _decoded(files.read(name), where)
    pixels = np.asarray(opened)
    return _sized(np.where(pixels, 1, 0) if opened.mode == "1" else pixels, where, size)


def mask(files: Files, name: str, size: tuple[int, int] | None = None) -> TruthMask:
    """Where a mask's file is above 0, bool (H, W); `size` is what it must have.

    Of several bands the first counts, of a palette the index; where another band, or the palette's colours, would give another
    mask, the file is refused: nobody can know which is meant. JPEG blurs edges, so there a value must be above half.
    """
    where = files.where(name)
    opened = _decoded(files.read(name), where)
    pixels = _sized(np.asarray(opened), where, size)
    least = _HALF if opened.format == "JPEG" else 0
    if opened.mode == "P":
        colours = np.asarray(opened.convert("RGB"))
        if ((pixels > 0) != (colours > 0).any(-1)).any():
            raise BrokenSample("broken", where, "its palette shows index 0 in a colour, or another one in black")
    if pixels.ndim == 2:
        return np.asarray(pixels > least)
    bands = pixels[..., : 1 if opened.mode == "LA" else 3] > least
    if (bands != bands[..., :1]).any():
        raise BrokenSample("broken", where, "its bands give different masks")
    return np.asarray(bands[..., 0])


def _decoded(data: bytes, where: str) -> Pillow.Image:
    try:
        opened = Pillow.open(io.BytesIO(data))
        opened.load()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, Pillow.DecompressionBombError) as error:
        raise BrokenSample("broken", where, f"does not decode: {_reason(error)}") from error
    return opened


def _reason(error: Exception) -> str:
    """Why, in words that are the same each time: Pillow names its buffer by its place in memory."""
    return "its format is not known" if isinstance(error, UnidentifiedImageError) else str(error)


def _sized(pixels: NDArray[np.integer], where: str, size: tuple[int, int] | None) -> NDArray[np.integer]:
    if size is not None and pixels.shape[:2] != size:
        found = " x ".join(str(n) for n in pixels.shape[:2])
        raise BrokenSample("broken", where, f"is {found} px (height x width), its image {size[0]} x {size[1]}")
    return pixels
