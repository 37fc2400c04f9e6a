"""The windows of a large scene as a file, windows.geojson: what was looked at, and what was not, as areas."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from shapely.geometry import box, mapping

from t2s_agent.regions.frame import EARTH, Frame
from t2s_agent.regions.geojson import head_of, lines_of, multipolygon
from t2s_agent.regions.polygons import to_lonlat
from t2s_agent.regions.region import Geometry
from t2s_agent.regions.units import Units
from t2s_agent.scene.view import Picture
from t2s_agent.text import plain

WindowStatus = Literal["found", "empty", "failed", "not_reached"]
_DECIMALS = 7  # of degrees


@dataclass(frozen=True, slots=True)
class WindowLook:
    """What became of a window: its place in pixels of the grid, the prompter's tokens, and why it failed."""

    index: int
    x: int
    y: int
    width: int
    height: int
    status: WindowStatus
    tokens: int = 0
    seconds: float = 0.0
    why: str = ""


def write_windows(windows: Iterable[WindowLook], view: Picture, path: Path) -> None:
    """Writes a feature a window, in the coordinates of the result's outlines. `view` is the grid, of which no pixel is read."""
    frame, units = Frame.of_view(view), Units.of(view.georeference)
    head = head_of(units, "windows that were looked at", frame=frame) | {"name": "windows"}
    with path.open("w", encoding="utf-8") as file:
        file.writelines(lines_of(head, _features(windows, view, frame)))


def _features(windows: Iterable[WindowLook], view: Picture, frame: Frame) -> Iterator[dict[str, Any]]:
    for each in windows:
        outline = _outline(each, view, frame)
        yield {
            "type": "Feature",
            "id": each.index,
            "geometry": None if outline.is_empty else mapping(multipolygon(outline)),
            "properties": {
                "window": each.index,
                "status": each.status,
                "x": each.x,
                "y": each.y,
                "width": each.width,
                "height": each.height,
                "tokens": each.tokens,
                "seconds": round(each.seconds, 3),
                "why": plain(each.why, 300),
            },
        }


def _outline(window: WindowLook, view: Picture, frame: Frame) -> Geometry:
    right, bottom = window.x + window.width, window.y + window.height
    if frame == EARTH:
        return to_lonlat(box(window.x, window.y, right, bottom), view.georeference, _DECIMALS)
    across, down = view.window.width / view.width, view.window.height / view.height
    left, top = view.window.x, view.window.y
    in_scene = box(left + window.x * across, top + window.y * down, left + right * across, top + bottom * down)
    return frame.to_file([in_scene])[0]
