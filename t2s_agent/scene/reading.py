"""Reads pixels piece by piece, within a limit of bytes that is checked before a read, and a limit of seconds.

All code that needs values, masks, statistics or the sample for a stretch reads through this module.
"""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterioWindow

from t2s_agent.errors import T2SError
from t2s_agent.scene.limits import Limits
from t2s_agent.scene.opening import DAMAGE, PINNED, missing_codec
from t2s_agent.scene.source import Source, Wanted
from t2s_agent.scene.view import Window

_MOST_BLOCKS = 64 * 64  # of a sample: each block is one read


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a picture, and its window in the scene (x, y, width, height in scene pixels)."""

    rows: slice
    columns: slice
    source: tuple[float, float, float, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, in pixels of the picture."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of a scene arranged in a picture of `height` x `width` pixels; `share` (0 to 1) is the part of the scene they cover."""

    pieces: list[Piece]
    height: int
    width: int
    share: float


@dataclass(frozen=True, slots=True)
class Asked:
    """Values that will be read of each piece: of bands, or of the mask."""

    bands: tuple[int, ...] = ()
    how: Resampling = Resampling.average
    mask: bool = False


class Reader:
    """Reads an open dataset. `coarse` is an overview file: the same picture at lower resolution, or None.

    `source` fetches what is read, where the file is a remote one.
    """

    def __init__(
        self,
        dataset: rasterio.DatasetReader,
        name: str,
        limits: Limits,
        coarse: rasterio.DatasetReader | None = None,
        source: Source | None = None,
    ) -> None:
        self._dataset, self._name, self._limits, self._coarse = dataset, name, limits, coarse
        self._remote = source
        self._deadline = math.inf
        stored = np.dtype("complex64" if dataset.dtypes[0] == "complex_int16" else dataset.dtypes[0])
        self._item, self._complex = stored.itemsize, stored.kind == "c"
        self.dtype = np.zeros(0, stored).real.dtype  # of the returned values

    @contextmanager
    def session(self) -> Iterator[None]:
        """Sets the GDAL options and the time limit of a read; turns GDAL's errors into `image_unreadable`."""
        self._deadline = time.monotonic() + self._limits.seconds
        try:
            with rasterio.Env(**PINNED):
                yield
        except (*DAMAGE, MemoryError) as error:
            if self._remote is not None:
                self._remote.check()
            codec = missing_codec(error)
            if codec:
                raise T2SError("image_unreadable", f"{self._name} {codec.what}", codec.fix) from error
            raise T2SError(
                "image_unreadable",
                f"{self._name} could not be read: it is damaged or truncated",
                "Convert it, or fetch it again",
            ) from error

    def pieces(self, where: Window, height: int, width: int, bands: int) -> list[Piece]:
        """The pieces in which `bands` bands of a window are read into a picture of `height` x `width` pixels.

        A piece holds at most `piece_bytes`, both of decoded data and of the picture as float64, but at least one block,
        since GDAL decodes whole blocks. Raises `limit_exceeded` where all pieces together are above `read_bytes`.
        """
        level, planned = self._overview_level(where, height, width), self._bytes_to_read(where, height, width, bands)
        if planned > self._limits.read_bytes:
            raise self._limit_error(planned)
        down, across = where.height / height, where.width / width  # scene pixels per pixel of the picture
        decoded_row = max(1.0, down / level) * where.width / level * bands * self._item
        rows = int(self._limits.piece_bytes / max(decoded_row, width * bands * 8.0))
        block_height, block_width = self._dataset.block_shapes[0]
        columns, whole_block = width, math.ceil(block_height * level / down)
        if rows < min(height, whole_block):
            # narrower pieces with the height of a block, so that no block is decoded several times
            columns = int(width * rows / whole_block)
            columns = min(width, max(columns, math.ceil(block_width * level / across)))
            rows = whole_block
        tall, wide = math.ceil(height / max(1, rows)), math.ceil(width / max(1, columns))
        found = []
        for i in range(tall):
            top, bottom = height * i // tall, height * (i + 1) // tall
            for j in range(wide):
                left, right = width * j // wide, width * (j + 1) // wide
                source = (
                    where.x + left * across, where.y + top * down, (right - left) * across, (bottom - top) * down
                )  # fmt: skip
                found.append(Piece(slice(top, bottom), slice(left, right), source))
        return found

    def blocks(self, bands: int, side: int) -> Blocks:
        """A sample of a large scene: a grid of whole blocks spread over it, within a sixteenth of the limit of bytes.

        Each block is read into a cell of a picture of about `side` px. Raises `limit_exceeded` where one block is too large.
        """
        wide, high = self._dataset.width, self._dataset.height
        block_height, block_width = (
            min(a, b) for a, b in zip(self._dataset.block_shapes[0], (high, wide), strict=True)
        )
        tall, across = math.ceil(high / block_height), math.ceil(wide / block_width)
        cost = block_height * block_width * bands * self._item
        if cost > self._limits.read_bytes:
            raise self._limit_error(cost)
        most = max(1, min(int(self._limits.read_bytes / 16 / cost), _MOST_BLOCKS))
        rows = min(tall, max(1, round(math.sqrt(most * tall / across))), most)
        columns = min(across, most // rows)
        rows = min(tall, most // columns)
        cell_height, cell_width = (max(1, min(n, side // m)) for n, m in ((block_height, rows), (block_width, columns)))
        pieces, covered = [], 0
        for i, j in itertools.product(range(rows), range(columns)):
            top, left = (
                (2 * i + 1) * tall // (2 * rows) * block_height,
                (2 * j + 1) * across // (2 * columns) * block_width,
            )
            height, width = min(block_height, high - top), min(block_width, wide - left)
            cell = slice(i * cell_height, (i + 1) * cell_height), slice(j * cell_width, (j + 1) * cell_width)
            pieces.append(Piece(*cell, (left, top, width, height)))
            covered += width * height
        return Blocks(pieces, rows * cell_height, columns * cell_width, covered / (wide * high))

    def values(self, piece: Piece, indexes: Sequence[int], how: Resampling = Resampling.average) -> NDArray[np.number]:
        """Stored values (B, height, width) of a piece, without scale and offset; of complex numbers the amplitude."""
        unique = sorted(set(indexes))
        if self._complex:
            how = Resampling.nearest  # GDAL averages real and imaginary parts, which is not an average of amplitudes
        self.check_deadline()
        self.fetch([piece], [Asked(tuple(unique), how)])
        dataset, window = self._source(piece)
        with _overviews_for(how):
            shape = len(unique), *piece.shape
            out: Any = self._run(dataset.read, unique, window=window, out_shape=shape, resampling=how)
        self._check_fetched()
        values: NDArray[np.number] = np.abs(out) if self._complex else out
        return values if list(indexes) == unique else values[[unique.index(i) for i in indexes]]

    def mask(self, piece: Piece) -> NDArray[np.uint8]:
        """The dataset's own mask of a piece (height, width): 0 where there is no data."""
        self.check_deadline()
        self.fetch([piece], [Asked(mask=True)])
        with _overviews_for(Resampling.nearest):
            window = RasterioWindow(*piece.source)
            mask = self._run(self._dataset.read_masks, 1, window=window, out_shape=piece.shape)
        self._check_fetched()
        return np.asarray(mask, np.uint8)

    def fetch(self, pieces: Sequence[Piece], asked: Sequence[Asked]) -> None:
        """Says what will be read of some pieces: of a remote file this is fetched together, in few requests."""
        if self._remote is not None:
            started = time.monotonic()
            self._remote.fetch([self._wanted(piece, each) for piece in pieces for each in asked])
            self._deadline += time.monotonic() - started  # waiting for the network has its own limit

    def _wanted(self, piece: Piece, asked: Asked) -> Wanted:
        nearest = asked.mask or self._complex or asked.how is Resampling.nearest
        return Wanted(
            piece.source,
            piece.shape,
            tuple(sorted(set(asked.bands))),
            nearest=nearest,
            wide_kernel=not nearest and asked.how is not Resampling.average,
            mask=asked.mask,
        )

    def _run(self, read: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return read(*args, **options) if self._remote is None else self._remote.read(read, *args, **options)

    def _check_fetched(self) -> None:
        if self._remote is not None:
            self._remote.check()

    def check_output(self, count: int) -> None:
        """Raises `limit_exceeded` where `count` float64 numbers in memory are above the limit."""
        if count * 8 > self._limits.read_bytes:
            raise self._limit_error(count * 8)

    def _source(self, piece: Piece) -> tuple[rasterio.DatasetReader, RasterioWindow]:
        """The dataset and window to read a piece from: the overview file where its resolution is sufficient."""
        x, y, width, height = piece.source
        if self._coarse is not None:
            sx, sy = self._coarse.width / self._dataset.width, self._coarse.height / self._dataset.height
            if width * sx >= piece.shape[1] * 0.99 and height * sy >= piece.shape[0] * 0.99:
                return self._coarse, RasterioWindow(x * sx, y * sy, width * sx, height * sy)
        return self._dataset, RasterioWindow(x, y, width, height)

    def within_budget(self, where: Window, height: int, width: int, bands: int, share: float = 1.0) -> bool:
        """Whether a read needs at most a `share` (0 to 1) of the limit of bytes."""
        return self._bytes_to_read(where, height, width, bands) <= self._limits.read_bytes * share

    def _bytes_to_read(self, where: Window, height: int, width: int, bands: int) -> float:
        """The number of bytes that GDAL decodes for a read."""
        return where.width * where.height / self._overview_level(where, height, width) ** 2 * bands * self._item

    def _overview_level(self, where: Window, height: int, width: int) -> float:
        """The decimation factor of the overview that GDAL will read; 1 where it reads full resolution."""
        factor = min(where.width / width, where.height / height)
        levels = [1.0, *self._dataset.overviews(1)]
        if self._coarse is not None:
            first = self._dataset.width / self._coarse.width
            levels += [first, *(first * f for f in self._coarse.overviews(1))]
        return float(max(f for f in levels if f <= max(1.0, factor * 1.01)))

    def check_deadline(self) -> None:
        """Raises `limit_exceeded` where the time limit of the session is over."""
        if time.monotonic() > self._deadline:
            raise T2SError(
                "limit_exceeded",
                f"reading {self._name} takes more than {self._limits.seconds:g} s",
                "Ask for a smaller part, add overviews (gdaladdo), or raise read_seconds",
            )

    def _limit_error(self, planned: float) -> T2SError:
        allowed = self._limits.read_bytes / 2**30
        return T2SError(
            "limit_exceeded",
            f"this part of {self._name} takes {planned / 2**30:.3g} GiB to read; {allowed:.3g} are allowed",
            "Ask for a smaller part, or add overviews (gdaladdo)",
        )


def _overviews_for(how: Resampling) -> rasterio.Env:
    """Sets GDAL's defaults for the choice of an overview: nearest may use one that is up to 1.2 times too coarse."""
    return rasterio.Env(GDAL_OVERVIEW_OVERSAMPLING_THRESHOLD="1.2" if how is Resampling.nearest else "1")
