"""Keeps what the tiles, outlines and tables of the page are read from, and limits how many are made at the same time."""

import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import anyio
import shapely
from anyio.to_thread import run_sync
from shapely.geometry import mapping
from starlette.exceptions import HTTPException

from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine
from t2s_agent.results.files import MASK, RECORD, WINDOWS
from t2s_agent.results.record import Record
from t2s_agent.scene.opening import resolve
from t2s_agent.server.page.mask_tiles import mask_tile, region_at
from t2s_agent.server.page.open_scenes import OpenScenes, Picture, Source
from t2s_agent.server.page.pyramid import Pyramid
from t2s_agent.server.page.region_index import Indexes, RegionIndex

_AT_ONCE = 4  # tiles and outlines that are made at the same time: they are short, and models need the processors too
_MOST_WAITING = 128  # of them; a screen needs about thirty
_MOST_RECORDS = 64
T = TypeVar("T")


class Pictures:
    """One for a server. All that it returns is of the Engine's owner."""

    def __init__(self, indexes: Indexes | None = None) -> None:
        self.scenes, self.indexes = OpenScenes(), indexes or Indexes()
        self._records: OrderedDict[tuple[str, str, str], tuple[tuple[int, int], Record]] = OrderedDict()
        self._lock = Lock()
        self._limiters: tuple[anyio.CapacityLimiter, ...] = ()

    def close(self) -> None:
        """Closes the scenes that are open."""
        self.scenes.close()

    async def run(self, work: Callable[[], T], *, of_index: bool = False) -> T:
        """Does a short piece of work in a thread; HTTPException 503 where too many wait for that.

        What needs the `index` of a result has places of its own: it may wait for seconds until that is made, and tiles do not.
        """
        if not self._limiters:
            self._limiters = (anyio.CapacityLimiter(_AT_ONCE), anyio.CapacityLimiter(_AT_ONCE))
        limiter = self._limiters[of_index]
        if limiter.statistics().tasks_waiting >= _MOST_WAITING:
            raise HTTPException(503, "Too many tiles are being made", {"Retry-After": "1"})
        return await run_sync(work, limiter=limiter)

    def record(self, engine: Engine, id_: str) -> Record:
        """The record of a result without its regions, read again where its file has changed. Raises `result_unknown`."""
        key = (str(engine.store.folder), engine.store.owner, id_)
        state = _state(engine.store.folder, id_)
        with self._lock:
            if key in self._records and self._records[key][0] == state:
                self._records.move_to_end(key)
                return self._records[key][1]
        record = engine.store.load(id_, regions=False)
        with self._lock:
            self._records[key] = (_state(engine.store.folder, record.id), record)
            if len(self._records) > _MOST_RECORDS:
                self._records.popitem(last=False)
        return record

    def index(self, engine: Engine, id_: str) -> RegionIndex:
        """The index of a result's regions."""
        record = self.record(engine, id_)
        return self.indexes.of(record, engine.store.folder / record.id)

    def scene_tag(self, engine: Engine, id_: str) -> str:
        """What changes when a result's scene does, for HTTP caches. Raises `result_unknown`."""
        return _digest(id_, self._source(engine, self.record(engine, id_)).state())

    def scene_tile(self, engine: Engine, id_: str, z: int, x: int, y: int) -> Picture:
        """A tile of the scene of a result."""
        record = self.record(engine, id_)
        return self.scenes.tile(self._source(engine, record), z, x, y, record)

    def mask_tile(self, engine: Engine, id_: str, z: int, x: int, y: int) -> Picture:
        """A tile of a result's mask, where the tile of the scene is."""
        record = self.record(engine, id_)
        cell = Pyramid(record.scene.width, record.scene.height).cell(z, x, y)
        return mask_tile(engine.store.folder / record.id / MASK, record, cell)

    def region_at(self, engine: Engine, id_: str, x: float, y: float) -> int:
        """The id of the region at a point of the scene; 0 where there is none."""
        record = self.record(engine, id_)
        return region_at(engine.store.folder / record.id / MASK, record, x, y)

    def windows(self, engine: Engine, id_: str) -> dict[str, Any]:
        """The windows of a result as GeoJSON in pixels of the scene, each with its `status` and `why` it failed.

        Raises `result_unknown` where it has none.
        """
        record = self.record(engine, id_)
        try:
            text = (engine.store.folder / record.id / WINDOWS).read_text(encoding="utf-8")
            looks = [feature["properties"] for feature in json.loads(text)["features"]]
            return {"type": "FeatureCollection", "features": [_window(record, look) for look in looks]}
        except FileNotFoundError as error:
            raise T2SError("result_unknown", f"{id_} has no windows", "It was looked at as a whole") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise T2SError("result_damaged", f"the windows of {id_} cannot be read", "Make the result again") from error

    def image_tile(self, engine: Engine, name: str, z: int, x: int, y: int) -> Picture:
        """A tile of an image in the allowed folders. Raises `image_not_found` where there are no such folders."""
        return self.scenes.tile(_image(engine, name), z, x, y)

    def image_size(self, engine: Engine, name: str) -> tuple[int, int]:
        """Width and height of an image in the allowed folders."""
        return self.scenes.size(_image(engine, name))

    @staticmethod
    def image_tag(engine: Engine, name: str) -> str:
        """What changes when an image does, for HTTP caches."""
        source = _image(engine, name)
        return _digest(source.path, source.state())

    @staticmethod
    def _source(engine: Engine, record: Record) -> Source:
        scene = record.scene
        named = scene.stretch if scene.stretch is not None and scene.stretch.named else None
        return Source(engine.store.owner, scene.path, lambda: engine.scene_of(record), tuple(scene.bands), named)


def _window(record: Record, look: dict[str, Any]) -> dict[str, Any]:
    """A window, which is in pixels of the View, as a rectangle in pixels of the scene."""
    left, top, width, height = record.scene.window
    across, down = width / record.scene.view_size[0], height / record.scene.view_size[1]
    outline = shapely.box(
        left + look["x"] * across,
        top + look["y"] * down,
        left + (look["x"] + look["width"]) * across,
        top + (look["y"] + look["height"]) * down,
    )
    about = {"status": look["status"], "why": look.get("why", "")}
    return {"type": "Feature", "geometry": mapping(outline), "properties": about}


def _image(engine: Engine, name: str) -> Source:
    if not engine.settings.roots:
        raise T2SError("image_not_found", "no folder of images is allowed here", "Start the server with --root")
    path = resolve(name, engine.settings.roots)
    return Source(engine.store.owner, str(path), lambda: engine.scene(name))


def _state(folder: Path, id_: str) -> tuple[int, int]:
    try:
        status = os.stat(folder / id_ / RECORD)  # noqa: PTH116 (asked for with every tile)
    except (OSError, ValueError):
        return (0, 0)
    return status.st_mtime_ns, status.st_size


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]
