"""A raster that is open: what it is, where it lies, and Views of any part of it at any resolution."""

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.windows import Window as RasterioWindow

from t2s_agent.errors import T2SError
from t2s_agent.scene.bands import band_of, choose_bands, red_and_nir, unnamed
from t2s_agent.scene.georeference import Floats, placed
from t2s_agent.scene.limits import Limits
from t2s_agent.scene.opening import DAMAGE, PINNED, neighbours, open_dataset, open_descriptor, resolve, unreadable
from t2s_agent.scene.stretch import IDENTITY, SAMPLE_SIDE, Stretch, stretch_of
from t2s_agent.scene.view import View, Window
from t2s_agent.text import one_line

Bbox = Sequence[float]  # west, south, east, north in degrees
_STRIPS = 4096 * 4096  # pixels decoded between two looks at the clock
_TOUCH_PX = 1e-5  # a box that reaches less than this into a pixel does not touch it


def open_scene(path: Path | str, *, roots: Sequence[Path] | None = None, limits: Limits = Limits()) -> "Scene":  # noqa: B008 (frozen)
    """Opens an image as safely as docs/security.md says. Use it as a context manager, or close it.

    `roots` are the folders that it may lie in; None for the folder of `path` itself, as when a person names a file.
    Raises `image_not_found`, `image_unreadable` or `limit_exceeded`.
    """
    if roots is None:
        roots, path = [Path(path).absolute().parent], Path(path).name
    real = resolve(path, roots)
    descriptor = open_descriptor(real)
    try:
        with rasterio.Env(**PINNED):
            dataset = open_dataset(descriptor, real, limits)
            try:
                return Scene(dataset, descriptor, real, limits)
            except DAMAGE as error:
                dataset.close()
                raise unreadable(real, "has a header that makes no sense") from error
    except T2SError:
        os.close(descriptor)
        raise


class Scene:
    """An open raster. It owns the file until it is closed."""

    def __init__(self, dataset: rasterio.DatasetReader, descriptor: int, path: Path, limits: Limits) -> None:
        self._dataset, self._descriptor, self._limits = dataset, descriptor, limits
        self.path, self.name = path, one_line(path.name, 255)  # the name is for showing
        self.width, self.height = int(dataset.width), int(dataset.height)
        self.driver = str(dataset.driver)
        self.dtype = str(dataset.dtypes[0])
        self.nodata = dataset.nodata
        self.bands = tuple(
            band_of(
                i, dataset.descriptions[i - 1] or "", dataset.colorinterp[i - 1].name.lower(), dataset.dtypes[i - 1]
            )
            for i in dataset.indexes
        )
        gcps, gcp_crs = dataset.gcps
        there = dataset.crs is not None or not dataset.transform.is_identity
        self.georeference = placed(
            gcp_crs if gcps else dataset.crs,
            None if gcps or not there else dataset.transform,
            gcps,
            self.width,
            self.height,
        )
        self.crs = self.georeference.crs
        self.gsd_m = self.georeference.typical_gsd_m(self.width, self.height)
        self.warnings = tuple(self._remarks(path))
        self._stretches: dict[tuple[int, int, int], Stretch] = {}

    def __enter__(self) -> "Scene":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; a second time does nothing."""
        if self._descriptor >= 0:
            self._dataset.close()
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def bounds_lonlat(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north in degrees; None where the scene is not located. West > east across 180 degrees."""
        return self.georeference.bounds_lonlat(self.width, self.height)

    def view(
        self,
        *,
        window: Window | None = None,
        bbox: Bbox | None = None,
        max_size: int = 1024,
        bands: str | Sequence[int] | None = None,
    ) -> View:
        """What a model looks at: the scene, a `window` of it or a `bbox` in degrees, its longer side at most `max_size` px.

        Only that part is read, at that resolution (from the file's own overviews where it has them); nothing is
        enlarged. Raises `bbox_invalid`, `bbox_outside`, `bands_unknown`, `no_georeference`, `limit_exceeded`,
        `image_unreadable`.
        """
        where = self.window_of(bbox) if bbox is not None else self._checked(window)
        scale = min(1.0, max_size / max(where.width, where.height))
        width, height = max(1, round(where.width * scale)), max(1, round(where.height * scale))
        shown = choose_bands(self.bands, bands)
        with self._reading():
            rgb, valid = self._rgb(where, width, height, shown)
        georeference = self.georeference.resized(where, width, height)
        gsd = georeference.typical_gsd_m(width, height)
        return View(rgb, valid, georeference, where, gsd, shown)

    def window_of(self, bbox: Bbox) -> Window:
        """The whole pixels that a box (west, south, east, north, degrees) touches, cut at the scene's edge."""
        west, south, east, north = _checked_bbox(bbox)
        bounds = self.bounds_lonlat
        if bounds is None:
            raise T2SError("no_georeference", self.georeference.unlocated_because, "Give a window in pixels instead")
        span = east - west + (360 if west > east else 0)
        along = np.linspace(
            1e-9, 1 - 1e-9, 361
        )  # not its very edges: what only touches the picture's edge lies beside it
        lon, lat = np.meshgrid(west + span * along, south + (north - south) * along[::20])
        lon = np.where(lon > 180, lon - 360, lon)
        x, y = self.georeference.from_lonlat(lon.ravel(), lat.ravel())
        self._demand_whole(x.reshape(lon.shape), y.reshape(lon.shape), (west, south, east, north), span)
        own_x, own_y = self.georeference.places_in((west, south, east, north), self.width, self.height)
        x, y = np.concatenate([x, own_x]), np.concatenate([y, own_y])
        seen = np.isfinite(x) & np.isfinite(y)
        if seen.any():
            x0, x1 = max(0.0, float(x[seen].min())), min(float(self.width), float(x[seen].max()))
            y0, y1 = max(0.0, float(y[seen].min())), min(float(self.height), float(y[seen].max()))
            if x0 < x1 and y0 < y1:
                left, top = math.floor(x0 + _TOUCH_PX), math.floor(y0 + _TOUCH_PX)
                right, bottom = math.ceil(x1 - _TOUCH_PX), math.ceil(y1 - _TOUCH_PX)
                return Window(left, top, max(1, right - left), max(1, bottom - top))
        shown = ", ".join(f"{v:.6f}" for v in bounds)
        hint = ""
        if south < bounds[2] and north > bounds[0] and west < bounds[3] and east > bounds[1]:
            hint = "; latitude and longitude look swapped"
        raise T2SError(
            "bbox_outside",
            f"the box {[west, south, east, north]} does not meet {self.name}{hint}",
            f"The image covers west, south, east, north = {shown}",
        )

    def _demand_whole(self, x: Floats, y: Floats, bbox: tuple[float, float, float, float], span: float) -> None:
        """`bbox_outside` where a box lies at both ends of a picture that is cut at some longitude: one window cannot show that.

        x, y are the pixels (rows, columns) of places of the box whose longitudes run from `west` over `span` degrees.
        """
        west, south, east, north = bbox
        inside = (
            np.isfinite(x) & np.isfinite(y) & (x >= -1) & (x <= self.width + 1) & (y >= -1) & (y <= self.height + 1)
        )
        both = inside[:, 1:] & inside[:, :-1]
        far = both & (np.hypot(np.diff(x, axis=1), np.diff(y, axis=1)) > max(2.0, self.width / 4))
        if span >= 360 or not far.any():
            return
        row, column = (int(v[0]) for v in np.nonzero(far))
        middle_x = (x[row, column] + x[row, column + 1]) / 2
        middle_y = (y[row, column] + y[row, column + 1]) / 2
        between = float(self.georeference.to_lonlat(middle_x, middle_y)[0][0])
        if math.isfinite(between) and (between - west) % 360 <= span:
            return  # what lies between them in the picture lies in the box: they are far apart because pixels are large
        edge_x = 0.0 if x[row, column] > x[row, column + 1] else float(self.width)
        cut = float(self.georeference.to_lonlat(edge_x, middle_y)[0][0])
        cut = round(cut, 6) if math.isfinite(cut) else 180.0
        ends = (180.0, -180.0) if abs(cut) == 180 else (cut, cut)
        raise T2SError(
            "bbox_outside",
            f"the box {[west, south, east, north]} lies at both ends of {self.name}, which is cut at {cut:g} degrees",
            f"Ask for its two parts: {[west, south, ends[0], north]} and {[ends[1], south, east, north]}",
        )

    def read(
        self, window: Window | None = None, bands: Sequence[int] | None = None, max_size: int = 2048
    ) -> np.ma.MaskedArray:
        """Values as they are stored, masked float64 (B, H, W); decimated beyond `max_size` px a side."""
        where = self._checked(window)
        scale = min(1.0, max_size / max(where.width, where.height))
        shape = max(1, round(where.height * scale)), max(1, round(where.width * scale))
        indexes = list(bands or (band.index for band in self.bands if band.colour != "alpha"))
        with self._reading():
            values = self._values(where, *shape, indexes)
            valid = self._valid(where, *shape, indexes)
        return np.ma.MaskedArray(values, mask=~np.broadcast_to(valid, values.shape) | ~np.isfinite(values))

    def remarks(self, bands: str | Sequence[int] | None = None) -> tuple[str, ...]:
        """What somebody who gets a View of these bands should know: `warnings`, and whether the colours are a guess."""
        if bands or not unnamed(self.bands):
            return self.warnings
        shown = ", ".join(map(str, choose_bands(self.bands)))
        guess = (
            f"the file does not say which of its bands are red, green and blue: {shown} are shown; choose with bands"
        )
        return (*self.warnings, guess)

    def red_and_nir(self) -> tuple[int, int] | None:
        """The bands of red and near infrared, where the file itself says which they are."""
        return red_and_nir(self.bands)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Our GDAL settings for the time of a read, and a budget of seconds."""
        self._until = time.monotonic() + self._limits.seconds
        try:
            with rasterio.Env(**PINNED):
                yield
        except (*DAMAGE, MemoryError) as error:
            raise T2SError(
                "image_unreadable",
                f"{self.name} could not be read: it is damaged or truncated",
                "Convert or fetch it anew",
            ) from error

    def _checked(self, window: Window | None) -> Window:
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
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        valid = self._valid(where, height, width, shown)
        palette = self._palette(shown)
        if palette is not None:
            indexes = self._values(where, height, width, shown[:1], Resampling.nearest)[0].astype(np.intp)
            rgb = palette[np.clip(indexes, 0, len(palette) - 1)]
            return np.ascontiguousarray(np.where(valid[..., None], rgb, 0).astype(np.uint8)), valid
        values = self._values(where, height, width, shown)
        valid &= np.isfinite(values).all(0)
        return self._stretch(shown).apply(values, valid), valid

    def _palette(self, shown: tuple[int, int, int]) -> NDArray[np.uint8] | None:
        """The colours (256, 3) of a band that holds indexes, else None."""
        if self._dataset.colorinterp[shown[0] - 1] is not ColorInterp.palette:
            return None
        try:
            table = self._dataset.colormap(shown[0])
        except ValueError:
            return None
        colours = np.zeros((max(table) + 1, 3), np.uint8)
        for index, colour in table.items():
            colours[index] = colour[:3]
        return colours

    def _stretch(self, shown: tuple[int, int, int]) -> Stretch:
        if all(self._dataset.dtypes[index - 1] == "uint8" for index in shown):
            return IDENTITY
        if shown not in self._stretches:
            scale = min(1.0, SAMPLE_SIDE / max(self.width, self.height))
            shape = max(1, round(self.height * scale)), max(1, round(self.width * scale))
            whole = Window(0, 0, self.width, self.height)
            sample = self._values(whole, *shape, shown, Resampling.nearest)
            self._stretches[shown] = stretch_of(sample, self._valid(whole, *shape, shown))
        return self._stretches[shown]

    def _values(
        self, where: Window, height: int, width: int, indexes: Sequence[int], how: Resampling = Resampling.average
    ) -> NDArray[np.float64]:
        """Bands (B, height, width) of a window; complex numbers by their amplitude."""
        unique = sorted(set(indexes))
        if np.dtype(self.dtype).kind == "c":
            how = Resampling.nearest  # GDAL averages complex numbers' parts, which means nothing
        self._budget(where, height, width, len(unique))
        out = self._in_strips(where, height, width, unique, how)
        values = np.asarray(np.abs(out) if np.iscomplexobj(out) else out, dtype=np.float64)
        return values if list(indexes) == unique else values[[unique.index(i) for i in indexes]]

    def _in_strips(
        self, where: Window, height: int, width: int, indexes: list[int], how: Resampling
    ) -> NDArray[np.generic]:
        """The read itself, between looks at the clock. Each strip of the output is read from its own part of the file."""
        strips = max(1, min(height, math.ceil(where.width * where.height / _STRIPS)))
        parts = []
        for i in range(strips):
            top, bottom = height * i // strips, height * (i + 1) // strips
            if top == bottom:
                continue
            if time.monotonic() > self._until:
                raise T2SError(
                    "limit_exceeded",
                    f"reading {self.name} takes more than {self._limits.seconds:g} s",
                    "Ask for a smaller part, add overviews (gdaladdo), or raise read_seconds",
                )
            scale = where.height / height
            part = RasterioWindow(where.x, where.y + top * scale, where.width, (bottom - top) * scale)
            shape = (len(indexes), bottom - top, width)
            parts.append(self._dataset.read(indexes, window=part, out_shape=shape, resampling=how))
        return np.concatenate(parts, axis=1)

    def _valid(self, where: Window, height: int, width: int, indexes: Sequence[int]) -> NDArray[np.bool_]:
        """Where all of the bands hold data: internal mask, alpha, nodata. (height, width)"""
        window = RasterioWindow(where.x, where.y, where.width, where.height)
        valid = np.ones((height, width), bool)
        flags = {index: self._dataset.mask_flag_enums[index - 1] for index in sorted(set(indexes))}
        if any(MaskFlags.alpha in f for f in flags.values()) and not any(b.colour == "alpha" for b in self.bands):
            return valid  # what the file calls alpha is a band of light
        if any(MaskFlags.per_dataset in f for f in flags.values()):
            return np.asarray(self._dataset.dataset_mask(window=window, out_shape=(height, width)) > 127)
        masked = [index for index, flag in flags.items() if MaskFlags.all_valid not in flag]
        if masked:
            masks = self._dataset.read_masks(masked, window=window, out_shape=(len(masked), height, width))
            # nodata 0 in one band of a dark pixel is a value: only where every band has it, there is nothing
            valid = np.asarray((masks > 0).any(0))
        return valid

    def _budget(self, where: Window, height: int, width: int, bands: int) -> None:
        """Refuses a read that would have to decode too much, after the overview that GDAL will choose."""
        factor = min(where.width / width, where.height / height)
        overviews = [1, *self._dataset.overviews(1)]
        level = max(f for f in overviews if f <= max(1.0, factor * 1.01))
        item = np.dtype(self.dtype).itemsize if self.dtype != "complex_int16" else 4
        planned = where.width * where.height / level**2 * bands * item
        if planned > self._limits.read_bytes:
            raise T2SError(
                "limit_exceeded",
                f"this part of {self.name} takes {planned / 2**30:.1f} GiB to read; {self._limits.read_bytes / 2**30:.1f} are allowed",
                "Ask for a smaller part, or add overviews (gdaladdo)",
            )

    def _remarks(self, path: Path) -> Iterator[str]:
        beside = neighbours(path)
        if beside:
            yield f"{', '.join(beside)} beside the image: not read"
        if self.georeference.unlocated_because:
            yield f"{self.georeference.unlocated_because}: measures are in pixels"
            if self._dataset.rpcs is not None:
                yield "the image has a rational polynomial camera model, which is not applied: orthorectify it first"


def _checked_bbox(bbox: Bbox) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(v) for v in bbox)
    except (TypeError, ValueError) as error:
        raise T2SError(
            "bbox_invalid", f"the box {bbox!r} is not four numbers", "Give west, south, east, north in degrees"
        ) from error
    fix = "Give west, south, east, north in degrees, south below north"
    if not all(math.isfinite(v) for v in (west, south, east, north)):
        raise T2SError("bbox_invalid", f"the box {[west, south, east, north]} has numbers that are not finite", fix)
    if south >= north or west == east:
        raise T2SError("bbox_invalid", f"the box {[west, south, east, north]} is empty or upside down", fix)
    if abs(south) > 90 or abs(north) > 90 or abs(west) > 180 or abs(east) > 180:
        raise T2SError("bbox_invalid", f"the box {[west, south, east, north]} is not in degrees", fix)
    return west, south, east, north
