"""Opens a raster file, describes it, and reads Views of any part of it at any resolution."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling

from t2s_agent.errors import T2SError
from t2s_agent.scene.bands import Band, guess_remark, is_alpha
from t2s_agent.scene.boxes import Bbox, window_of
from t2s_agent.scene.composites import choose, shown_remark
from t2s_agent.scene.decibels import bands_behind, factor_of, pictured
from t2s_agent.scene.legend import Sensing, legend_of
from t2s_agent.scene.limits import Limits
from t2s_agent.scene.masks import Bools, Validity
from t2s_agent.scene.named_stretch import require_values
from t2s_agent.scene.opening import DAMAGE, PINNED, open_dataset, open_descriptor, resolve, unreadable
from t2s_agent.scene.placing import place
from t2s_agent.scene.reading import Asked, Blocks, Piece, Reader
from t2s_agent.scene.remarks import (
    DARK,
    about_file,
    about_fills,
    about_named,
    about_neighbours,
    about_place,
    about_sample,
)
from t2s_agent.scene.sidecars import NONE, Sidecars, read_sidecars
from t2s_agent.scene.source import Source
from t2s_agent.scene.stretch import IDENTITY, SAMPLE_SIDE, Fill, Stretch, fills_of, of_bits, stretch_of
from t2s_agent.scene.view import View, Window
from t2s_agent.text import one_line

_SMALL_SCENE = 64 * 2**20  # pixels: a scene up to this size is read to find the maximum of its alpha band
_FILL_SAMPLE_SIDE = (
    256  # px: the longer side of the sample in which fill values of bands that are not shown are searched
)


def open_scene(
    path: Path | str,
    *,
    roots: Sequence[Path] | None = None,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    trust_sidecars: bool = False,
    sensing: Sensing = Sensing(),  # noqa: B008 (frozen)
    height_m: float | None = None,
) -> "Scene":
    """Opens an image with the checks of docs/explanation/security.md. Use it as a context manager, or close it.

    `roots` are the folders from which images may be opened; None means the folder of `path`.
    `trust_sidecars`: also read the world file, .prj, .aux.xml, .ovr and .msk next to the image. Set it only for trusted files.
    `sensing` names the sensor, or a file with more sensors than the package knows. `height_m`: an image that has only a camera
    model (RPC) is placed at this height above the WGS 84 ellipsoid, in metres (`scene.camera`).
    Raises `image_not_found`, `image_unreadable` or `limit_exceeded`.

    >>> import t2s_agent
    >>> with t2s_agent.open_scene("demo-out/harbour.tif") as scene:
    ...     view = scene.view(max_size=320)
    >>> view.rgb.shape, round(view.gsd_m, 2)
    ((320, 320, 3), 1.0)
    """
    if roots is None:
        roots, path = [Path(path).absolute().parent], Path(path).name
    real = resolve(path, roots)
    descriptor = open_descriptor(real)
    try:
        with rasterio.Env(**PINNED):
            dataset = open_dataset(descriptor, real, limits)
            try:
                sidecars = read_sidecars(real, dataset, limits) if trust_sidecars else NONE
                return scene_of(dataset, descriptor, real, limits, sidecars, sensing, height_m)
            except T2SError:
                dataset.close()
                raise
    except T2SError:
        os.close(descriptor)
        raise


def scene_of(
    dataset: rasterio.DatasetReader,
    descriptor: int,
    real: Path,
    limits: Limits,
    sidecars: Sidecars = NONE,
    sensing: Sensing = Sensing(),  # noqa: B008 (frozen)
    height_m: float | None = None,
    origin: "Origin | None" = None,
) -> "Scene":
    """The scene of an open dataset. Raises `image_unreadable` for a header that makes no sense; the dataset stays open."""
    try:
        return Scene(dataset, descriptor, real, limits, sidecars, sensing, height_m, origin)
    except DAMAGE as error:
        sidecars.close()
        raise unreadable(real, "has a header that makes no sense") from error


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a remote scene comes from: its address without the query, whether it had one, and what fetches its bytes."""

    address: str
    signed: bool
    source: Source


@dataclass(frozen=True, slots=True)
class Part:
    """Values of several bands in the part of a picture at `rows` and `columns`."""

    rows: slice
    columns: slice
    bands: tuple[int, ...]
    _stored: NDArray[np.number]
    _valid: Mapping[int, Bools]
    _meaning: Mapping[int, Band]

    def of(self, index: int) -> np.ma.MaskedArray:
        """The values of one band with scale and offset applied: float64 (h, w), masked where there is no data."""
        band = self._meaning[index]
        stored = self._stored[self.bands.index(index)].astype(np.float64)
        with np.errstate(all="ignore"):
            values = stored * band.scale + band.offset if band.scaled else stored
        empty = stored == band.fill if band.fill is not None else False
        return np.ma.MaskedArray(values, mask=~self._valid[index] | ~np.isfinite(values) | empty)


class Scene:
    """An open raster file. It keeps the file open until `close`."""

    def __init__(
        self,
        dataset: rasterio.DatasetReader,
        descriptor: int,
        path: Path,
        limits: Limits,
        sidecars: Sidecars = NONE,
        sensing: Sensing = Sensing(),  # noqa: B008 (frozen)
        height_m: float | None = None,
        origin: Origin | None = None,
    ) -> None:
        self._dataset, self._descriptor, self._limits, self._sidecars = dataset, descriptor, limits, sidecars
        self.origin = origin
        self.address = origin.address if origin else str(path)  # by which the scene can be opened again
        self.path, self.name = path, one_line(path.name, 255)  # the name is for messages
        self.width, self.height = int(dataset.width), int(dataset.height)
        self.driver = str(dataset.driver)
        self.dtype = str(dataset.dtypes[0])
        self.nodata = dataset.nodata
        self.legend = legend_of(dataset, path, sensing)
        self.bands, self._colours = self.legend.bands, self.legend.colours
        overviews, mask = sidecars.overviews, sidecars.mask
        self._reader = Reader(
            dataset, self.name, limits, overviews.dataset if overviews else None, origin.source if origin else None
        )
        outer = Reader(mask.dataset, self.name, limits) if mask else None
        self._validity = Validity(dataset, self._reader, self.bands, self._opaque, outer)
        placed = place(dataset, sidecars, height_m)
        self.georeference, self.height_m = placed.georeference, placed.height_m
        self.trusted_sidecars = bool(sidecars.used)
        self.crs = self.georeference.crs
        self.gsd_m = self.georeference.typical_gsd_m(self.width, self.height)
        self.warnings = (
            *(() if origin else about_neighbours(path, sidecars.used, trusted=sidecars is not NONE)),
            *about_file(descriptor, dataset),
            *about_place(dataset, self.georeference, self.gsd_m, placed.camera),
        )
        self._darkest, self._brightest = 0, 255  # of the last View
        self._blocks: Blocks | None = None  # the sample for the stretch, where it is not the whole scene
        self._own_fills: dict[int, tuple[Fill, ...]] = {}
        self._stretches: dict[tuple[int, int, int], Stretch] = {}
        self._named: dict[tuple[int, int, int], Stretch] = {}  # stretches that the caller named

    def __enter__(self) -> "Scene":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; a second call has no effect."""
        if self._descriptor >= 0:
            self._sidecars.close()
            if self.origin is None:
                self._dataset.close()
            else:
                self.origin.source.run(self._dataset.close)
                self.origin.source.close()
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def bounds_lonlat(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north in degrees; None if the scene is not located. West > east across 180 degrees."""
        return self.georeference.bounds_lonlat(self.width, self.height)

    def view(
        self,
        *,
        window: Window | None = None,
        bbox: Bbox | None = None,
        max_size: int = 1024,
        bands: str | Sequence[int] | None = None,
    ) -> View:
        """A picture for a model: the scene, a `window` of it or a `bbox` in degrees, its longer side at most `max_size` px.

        `bands` is a composite, names or numbers of bands (`scene.composites`).
        Only that part is read, at that resolution (from the file's overviews where it has them); nothing is
        enlarged. Raises `bbox_invalid`, `bbox_outside`, `bands_unknown`, `no_georeference`, `limit_exceeded`,
        `image_unreadable`.
        """
        where = self.window_of(bbox) if bbox is not None else self._clipped(window)
        scale = min(1.0, max_size / max(where.width, where.height))
        width, height = max(1, round(where.width * scale)), max(1, round(where.height * scale))
        shown = choose(self.legend, bands)
        with self._reader.session():
            rgb, valid = self._rgb(where, width, height, shown)
        seen = rgb[valid]
        self._darkest, self._brightest = (int(seen.min()), int(seen.max())) if seen.size else (0, 255)
        georeference = self.georeference.resized(where, width, height)
        gsd = georeference.typical_gsd_m(width, height)
        return View(rgb, valid, georeference, where, gsd, shown)

    def shown(self, bands: str | Sequence[int] | None = None) -> tuple[int, int, int]:
        """The bands that a View of `bands` shows as red, green and blue (`scene.composites`). Raises `bands_unknown`."""
        return choose(self.legend, bands)

    def stretch(self, bands: str | Sequence[int] | None = None) -> Stretch | None:
        """The stretch with which a View of these bands is shown; None for a band with a colour table."""
        shown = choose(self.legend, bands)
        if self._palette(shown) is not None:
            return None
        with self._reader.session():
            return self._named.get(shown) or self._stretch(shown)

    def is_named(self, bands: str | Sequence[int] | None = None) -> bool:
        """Whether the stretch of these bands was named (`name_stretch`)."""
        return choose(self.legend, bands) in self._named

    def name_stretch(self, stretch: Stretch, bands: str | Sequence[int] | None = None) -> None:
        """Shows these bands with this stretch, in every View from now on, instead of one that is measured in this scene.

        Raises `argument_invalid` where it cannot be: for a colour table, or where no value of the bands' type lies in it.
        """
        shown = choose(self.legend, bands)
        if self._palette(shown) is not None:
            raise T2SError(
                "argument_invalid",
                f"a stretch was named, and {self.name} is shown with its colour table",
                "Leave the stretch out",
            )
        for band, low, high in zip(shown, stretch.low, stretch.high, strict=True):
            if band > 0:
                require_values(self._dataset.dtypes[band - 1], low, high, band)
        if min(shown) < 0 and stretch.factor is None:
            with self._reader.session():
                stretch = replace(stretch, factor=self._stretch(shown).factor)
        self._named[shown] = stretch

    def window_of(self, bbox: Bbox) -> Window:
        """The window of pixels that a box (west, south, east, north, degrees) touches, clipped to the scene."""
        return window_of(self.georeference, self.width, self.height, self.name, bbox)

    def read(
        self, window: Window | None = None, bands: Sequence[int] | None = None, max_size: int = 2048
    ) -> np.ma.MaskedArray:
        """Stored values, without scale and offset: masked float64 (B, H, W); decimated to at most `max_size` px a side.

        All values are in memory at once; use `parts` for large windows. Raises `limit_exceeded`, `image_unreadable`, `bbox_outside`.
        """
        where = self._clipped(window)
        scale = min(1.0, max_size / max(where.width, where.height))
        shape = max(1, round(where.height * scale)), max(1, round(where.width * scale))
        indexes = list(bands or self.data_bands)
        self._reader.check_output(shape[0] * shape[1] * len(indexes))
        values, valid = np.zeros((len(indexes), *shape)), np.zeros(shape, bool)
        with self._reader.session():
            extra = self._validity.extra_bands(indexes)
            pieces = self._reader.pieces(where, *shape, len(set(indexes)) + extra)
            self._reader.fetch(pieces, [Asked(tuple(indexes)), *self._validity.asked(indexes)])
            for piece in pieces:
                values[:, piece.rows, piece.columns] = self._reader.values(piece, indexes)
                valid[piece.rows, piece.columns] = self._validity.of(piece, indexes)
        return np.ma.MaskedArray(values, mask=~np.broadcast_to(valid, values.shape) | ~np.isfinite(values))

    def parts(self, window: Window, height: int, width: int, bands: Sequence[int]) -> Iterator[Part]:
        """Values of `bands`, with scale and offset, in a window read as `height` x `width` px, part by part.

        Memory is bounded for any number of bands. Values that look like fill (`remarks` names them) and a band's nodata
        value are masked.
        """
        fills = self.fills_of(bands)
        meaning = {index: self.bands[index - 1] for index in bands}
        # an average would include invalid pixels
        undeclared = any(fills.values()) or any(band.fill is not None for band in meaning.values())
        how = Resampling.nearest if undeclared or self._validity.beyond_gdal else Resampling.average
        with self._reader.session():
            extra = self._validity.extra_bands(bands)
            for piece in self._reader.pieces(self._clipped(window), height, width, len(bands) + extra):
                self._reader.fetch([piece], [Asked(tuple(bands), how), *self._validity.asked(bands)])
                stored = self._reader.values(piece, bands, how)
                common, own = self._validity.of_each(piece, bands)
                valid = {index: common & own[index] if index in own else common for index in bands}
                for index, band in zip(bands, stored, strict=True):
                    if fills[index]:
                        valid[index] = valid[index] & ~np.isin(band, [fill.value for fill in fills[index]])
                yield Part(piece.rows, piece.columns, tuple(bands), stored, valid, meaning)

    @property
    def data_bands(self) -> tuple[int, ...]:
        """The indexes of all bands except alpha."""
        return tuple(band.index for band in self.bands if not is_alpha(band))

    def fills(self) -> tuple[Fill, ...]:
        """Values that look like fill in the bands shown by default, although the file does not declare them as nodata."""
        shown = choose(self.legend)
        if min(shown) < 0:
            return ()  # fill in decibels is no value of a band
        with self._reader.session():
            return tuple({fill.value: fill for fills in self._stretch(shown).fills for fill in fills}.values())

    def fills_of(self, bands: Sequence[int]) -> dict[int, tuple[Fill, ...]]:
        """Values of each band that look like fill: those of the bands shown by default (`fills`), and its own.

        Bands that are not shown are read as a small sample of the scene, with at most a sixteenth of the limit of bytes.
        """
        shown, common = choose(self.legend), self.fills()
        others = [
            index for index in bands if index not in shown and self.bands[index - 1].dtype not in ("uint8", "int8")
        ]
        if unknown := [index for index in others if index not in self._own_fills]:
            with self._reader.session():
                values, pieces = self._sampled(unknown, _FILL_SAMPLE_SIDE, cheap=True)
                valid_all = np.zeros((len(unknown), *values.shape[1:]), bool)
                for piece in pieces:
                    whole, own = self._validity.of_each(piece, unknown)
                    for at, index in enumerate(unknown):
                        valid_all[at, piece.rows, piece.columns] = whole & own[index] if index in own else whole
            for index, band, valid in zip(unknown, values, valid_all, strict=True):
                counted = valid & np.isfinite(band) & (band != 0)
                self._own_fills[index] = fills_of(band[counted].astype(np.float64), band.dtype)
        return {
            index: tuple({fill.value: fill for fill in (*common, *self._own_fills.get(index, ()))}.values())
            for index in bands
        }

    def remarks(self, bands: str | Sequence[int] | None = None) -> tuple[str, ...]:
        """Warnings about a View of these bands: `warnings`, doubtful colours, and what was found in the pixels, such as values
        that look like fill or an alpha band that makes every pixel invalid."""
        found = [*self.warnings, *self.legend.remarks()]
        if not bands:
            found += self._colours.remarks
            found += [guess] if (guess := guess_remark(self.bands, self._colours)) and not self.legend.is_radar else []
        shown = choose(self.legend, bands)
        found += [remark] if (remark := shown_remark(self.legend, shown)) else []
        if shown in self._named:
            found += about_named(self._named[shown], self._darkest, self._brightest)
        elif shown in self._stretches:
            found += about_fills(self._stretches[shown], shown)
        if self._blocks is not None:
            found.append(about_sample(self._blocks))
        if self._brightest < DARK and shown not in self._named and self._stretches.get(shown, IDENTITY) == IDENTITY:
            found.append(
                f"nothing in the picture is brighter than {self._brightest} of 255, so models see almost only black: if its "
                "values are not brightness, make a picture of it first (gdal_translate -scale, gdaldem color-relief)"
            )
        if self._validity.transparent:
            found.append(
                "the alpha band is 0 everywhere, so no pixel counts as data; if it is not an alpha band, remove it"
            )
        if self._validity.translucent:
            found.append(
                f"most of the alpha band ({self._validity.alpha}) is between transparent and opaque: pixels below half count as nodata. If it "
                f"is another kind of band, such as infrared: gdal_edit.py -colorinterp_{self._validity.alpha} undefined FILE"
            )
        return tuple(found)

    def _clipped(self, window: Window | None) -> Window:
        """The part of a window inside the scene; None means the whole scene. Raises `bbox_outside`."""
        if window is None:
            return Window(0, 0, self.width, self.height)
        x, y, width, height = window
        if not (width > 0 and height > 0 and x < self.width and y < self.height and x + width > 0 and y + height > 0):
            raise T2SError(
                "bbox_outside",
                f"the window {tuple(window)} does not meet {self.name}",
                f"It has {self.width} x {self.height} px",
            )
        left, top = max(0, x), max(0, y)
        return Window(left, top, min(self.width, x + width) - left, min(self.height, y + height) - top)

    def _rgb(
        self, where: Window, width: int, height: int, shown: tuple[int, int, int]
    ) -> tuple[NDArray[np.uint8], Bools]:
        """The picture (height, width, 3) of a window, and its valid pixels (height, width)."""
        rgb, valid = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), bool)
        palette, behind = self._palette(shown), bands_behind(shown)
        stretch = self._named.get(shown) or self._stretch(shown)
        extra = self._validity.extra_bands(behind)
        pieces = self._reader.pieces(where, height, width, len(set(behind)) + extra)
        values_read = Asked(tuple(behind)) if palette is None else Asked(shown[:1], Resampling.nearest)
        self._reader.fetch(pieces, [values_read, *self._validity.asked(behind)])
        for piece in pieces:
            part_valid = self._validity.of(piece, behind)
            if palette is None:
                values = self._reader.values(piece, behind)
                if stretch.factor is not None:
                    values = pictured(values, behind, shown, stretch.factor)
                part_valid &= np.isfinite(values).all(0)
                part = stretch.apply(values, part_valid)
                if self._inverted:
                    part = np.where(part_valid[..., None], 255 - part, 0).astype(np.uint8)
            else:
                indexes = self._reader.values(piece, shown[:1], Resampling.nearest)[0].astype(np.intp)
                coloured = palette[np.clip(indexes, 0, len(palette) - 1)]
                part_valid &= coloured[..., 3] > 127
                part = np.where(part_valid[..., None], coloured[..., :3], 0).astype(np.uint8)
            rgb[piece.rows, piece.columns], valid[piece.rows, piece.columns] = part, part_valid
        return rgb, valid

    @property
    def _inverted(self) -> bool:
        """Whether 0 means white, as in scanned photographs. Only for a single band."""
        return len(self.data_bands) == 1 and self._dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"

    def _bits(self, index: int) -> int:
        """The number of bits of a band's values (NBITS), where they are stored as 8 bits."""
        bits = self._dataset.tags(index, ns="IMAGE_STRUCTURE").get("NBITS", "")
        return int(bits) if bits.isdecimal() else 8

    def _palette(self, shown: tuple[int, int, int]) -> NDArray[np.uint8] | None:
        """The colour table (N, 4: red, green, blue, alpha) of a band with palette indexes, else None."""
        if shown[0] < 0 or self._dataset.colorinterp[shown[0] - 1] is not ColorInterp.palette:
            return None
        try:
            table = self._dataset.colormap(shown[0])
        except ValueError:
            return None
        colours = np.zeros((max(table) + 1, 4), np.uint8)
        for index, colour in table.items():
            colours[index] = colour
        return colours

    def _stretch(self, shown: tuple[int, int, int]) -> Stretch:
        if all(index > 0 and self._dataset.dtypes[index - 1] == "uint8" for index in shown):
            return of_bits([self._bits(index) for index in shown])
        if shown not in self._stretches:
            behind = bands_behind(shown)
            values, pieces = self._sampled(behind)
            valid = np.zeros(values.shape[1:], bool)
            for piece in pieces:
                valid[piece.rows, piece.columns] = self._validity.of(piece, behind)
            factor = factor_of(values, valid) if behind != shown else None
            if factor is not None:
                values = pictured(values, behind, shown, factor)
            self._stretches[shown] = replace(stretch_of(values, valid), factor=factor)
        return self._stretches[shown]

    def _opaque(self, alpha: int) -> float:
        """The value of the alpha band that means opaque: the largest in the scene.

        Files store alpha as 0 to 255, 0 to 65535, 0 to 1 and others, in any type. For 8 bits the value is 255 where
        reading the band would be a large read.
        """
        reads_little = self.width * self.height <= _SMALL_SCENE or min(self._dataset.overviews(alpha), default=1) > 1
        if self._dataset.dtypes[alpha - 1] == "uint8" and not reads_little:
            return 255.0
        values, _ = self._sampled((alpha,))
        finite = values[np.isfinite(values)]
        return float(finite.max()) if finite.size else 0.0

    def _sampled(
        self, indexes: Sequence[int], side: int = SAMPLE_SIDE, *, cheap: bool = False
    ) -> tuple[NDArray[np.number], list[Piece]]:
        """The whole scene, decimated to `side` px with nearest neighbours, and the pieces in which it was read.

        Where that is above the limit (a large scene without overviews): blocks spread over the scene (`Reader.blocks`).
        """
        scale = min(1.0, side / max(self.width, self.height))
        height, width = max(1, round(self.height * scale)), max(1, round(self.width * scale))
        whole = Window(0, 0, self.width, self.height)
        bands = len(set(indexes)) + self._validity.extra_bands(indexes)
        if self._reader.within_budget(whole, height, width, bands, share=1 / 16 if cheap else 1):
            pieces = self._reader.pieces(whole, height, width, bands)
        else:
            blocks = self._reader.blocks(bands, side)
            pieces, height, width = blocks.pieces, blocks.height, blocks.width
            self._blocks = self._blocks if cheap else blocks
        self._reader.fetch(pieces, [Asked(tuple(indexes), Resampling.nearest), *self._validity.asked(indexes)])
        sample = np.zeros((len(indexes), height, width), self._reader.dtype)
        for piece in pieces:
            sample[:, piece.rows, piece.columns] = self._reader.values(piece, indexes, Resampling.nearest)
        return sample, pieces
