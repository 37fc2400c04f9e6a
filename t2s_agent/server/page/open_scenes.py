"""Reads tiles of scenes. A few scenes stay open, because opening one and measuring its stretch takes longer than a tile."""

import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from t2s_agent.errors import T2SError
from t2s_agent.results.record import Record, StretchRecord
from t2s_agent.scene import Scene, View, Window
from t2s_agent.server.page.pyramid import TILE, Pyramid

COARSE = 2048  # px: coarse tiles are cut from one picture of the scene with this longer side, which is read once
_MOST_OPEN = 4  # scenes; each holds a file and its coarse picture, 16 MB
T = TypeVar("T")
_QUALITY = 92  # of JPEG: outlines are compared with edges in the picture


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture and its media type."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a scene comes from: who may read it (`owner`), the file, how it is opened, and the bands and stretch that are shown."""

    owner: str
    path: str
    open: Callable[[], Scene]
    bands: tuple[int, ...] | None = None
    stretch: StretchRecord | None = None  # only where it was named

    def state(self) -> tuple[int, ...]:
        """What changes when the file changes; empty where it cannot be seen, as for a file that is gone."""
        try:
            status = Path(self.path).stat()
        except (OSError, ValueError):
            return ()
        return status.st_mtime_ns, status.st_size, status.st_ino


@dataclass(slots=True)
class _Held:
    """An open scene. GDAL reads a file in one thread at a time, so all is done with its lock."""

    state: tuple[int, ...]
    lock: threading.Lock = field(default_factory=threading.Lock)
    scene: Scene | None = None
    closed: bool = False
    coarse: Image.Image | T2SError | None = None
    seen: dict[str, T2SError | None] = field(default_factory=dict)  # results whose pixels were compared

    def close(self) -> None:
        with self.lock:
            self.closed = True
            if self.scene is not None:
                self.scene.close()


class OpenScenes:
    """Scenes that are kept open, at most four; the one that was not used for longest is closed."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[Any, ...], _Held] = OrderedDict()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Closes all scenes."""
        with self._lock:
            gone = list(self._held.values())
            self._held.clear()
        for held in gone:
            held.close()

    def tile(self, source: Source, z: int, x: int, y: int, result: Record | None = None) -> Picture:
        """One tile of a scene: JPEG, or PNG where it is not all filled with data.

        Raises what opening and reading raise, and `image_unreadable` where the scene is no longer that of `result`.
        """
        return self._with(source, result, lambda held, scene: _tile(held, scene, source.bands, z, x, y))

    def size(self, source: Source) -> tuple[int, int]:
        """Width and height of a scene."""
        return self._with(source, None, lambda _, scene: (scene.width, scene.height))

    def _with(self, source: Source, result: Record | None, work: "Callable[[_Held, Scene], T]") -> T:
        while True:
            held = self._get(source)
            with held.lock:
                if held.closed:  # between the two lines above
                    continue
                if held.scene is None:
                    held.scene = source.open()
                if result is not None:
                    _require_same(held, held.scene, result)
                return work(held, held.scene)

    def _get(self, source: Source) -> _Held:
        key, state, gone = (source.owner, source.path, source.bands, source.stretch), source.state(), []
        with self._lock:
            held = self._held.get(key)
            if held is not None and held.state != state:
                gone.append(self._held.pop(key))
                held = None
            if held is None:
                held = self._held[key] = _Held(state)
            self._held.move_to_end(key)
            while len(self._held) > _MOST_OPEN:
                gone.append(self._held.popitem(last=False)[1])
        for old in gone:
            old.close()
        return held


def _tile(held: _Held, scene: Scene, bands: tuple[int, ...] | None, z: int, x: int, y: int) -> Picture:
    cell = Pyramid(scene.width, scene.height).cell(z, x, y)
    if cell.resolution * COARSE >= max(scene.width, scene.height):
        return _encoded(_cut(_coarse(held, scene, bands), scene, cell.window, cell.size))
    view = scene.view(window=cell.window, max_size=max(cell.size), bands=list(bands) if bands else None)
    return _encoded(_rgba(view).resize(cell.size) if (view.width, view.height) != cell.size else _rgba(view))


def _coarse(held: _Held, scene: Scene, bands: tuple[int, ...] | None) -> Image.Image:
    """The picture of all of a scene. Where reading it takes too much, the error is kept: trying again would take as much."""
    if held.coarse is None:
        try:
            held.coarse = _rgba(scene.view(max_size=COARSE, bands=list(bands) if bands else None))
        except T2SError as error:
            held.coarse = error
    if isinstance(held.coarse, T2SError):
        raise held.coarse
    return held.coarse


def _cut(coarse: Image.Image, scene: Scene, window: Window, size: tuple[int, int]) -> Image.Image:
    across, down = coarse.width / scene.width, coarse.height / scene.height
    left, top = window.x * across, window.y * down
    right, bottom = (window.x + window.width) * across, (window.y + window.height) * down
    box = (left, top, min(right, coarse.width), min(bottom, coarse.height))
    if (box[2] - box[0], box[3] - box[1]) == size:
        return coarse.crop((round(box[0]), round(box[1]), round(box[2]), round(box[3])))
    return coarse.resize(size, Image.Resampling.BOX, box=box)


def _rgba(view: View) -> Image.Image:
    return Image.fromarray(np.dstack([view.rgb, view.valid.astype(np.uint8) * 255]))


def _encoded(tile: Image.Image) -> Picture:
    out = io.BytesIO()
    if tile.size == (TILE, TILE) and tile.getchannel("A").getextrema() == (255, 255):
        tile.convert("RGB").save(out, "JPEG", quality=_QUALITY, subsampling=0)
        return Picture(out.getvalue(), "image/jpeg")
    whole = Image.new("RGBA", (TILE, TILE))
    whole.paste(tile)
    whole.save(out, "PNG", compress_level=1)
    return Picture(out.getvalue(), "image/png")


def _require_same(held: _Held, scene: Scene, result: Record) -> None:
    """Raises `image_unreadable` where a scene has other pixels than the result was made from.

    Only the sizes are compared where many windows were looked at, or the View is too large to be read for this.
    """
    if result.id not in held.seen:
        held.seen[result.id] = None if _is_same(scene, result) else _changed(result)
    if error := held.seen[result.id]:
        raise error


def _is_same(scene: Scene, result: Record) -> bool:
    reference = result.scene
    if (scene.width, scene.height) != (reference.width, reference.height):
        return False
    if result.tiling is not None or max(reference.view_size) > COARSE:
        return True
    view = scene.view(window=Window(*reference.window), bands=list(reference.bands), max_size=reference.max_size)
    return view.digest() == reference.pixels_sha256


def _changed(result: Record) -> T2SError:
    return T2SError(
        "image_unreadable",
        f"{result.scene.name} is no longer the image that {result.id} was made from",
        "Segment it again",
    )
