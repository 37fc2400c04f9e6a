"""Chooses the scenes that touch a box. Items say where they are; of files the header is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from t2s_agent.batch.antimeridian import Box, Footprint, boxes_of
from t2s_agent.batch.scenes import SceneRef
from t2s_agent.errors import T2SError
from t2s_agent.pipeline import Engine


@dataclass(frozen=True, slots=True)
class Selected:
    """The scenes that touch the box, and how many were left out because nobody knows their place.

    A file that cannot be opened is among the scenes: its row says why.
    """

    scenes: list[SceneRef]
    without_place: int = 0


def select(scenes: Sequence[SceneRef], bbox: Box | None, engine: Callable[[], Engine]) -> Selected:
    """The scenes that share ground with `bbox` (west, south, east, north; west > east across 180 degrees). Raises `bbox_invalid`."""
    if bbox is None:
        return Selected(list(scenes))
    boxes = boxes_of(*bbox)
    opener = engine() if any(scene.footprint is None for scene in scenes) else None
    chosen, unknown = [], 0
    for scene in scenes:
        footprint = scene.footprint
        if footprint is None and opener is not None:
            try:
                footprint = _of_file(opener, scene.image)
            except T2SError:  # it stays, so that the ledger has its error
                chosen.append(scene)
                continue
        if footprint is None:
            unknown += 1
        elif footprint.meets(boxes):
            chosen.append(scene)
    return Selected(chosen, unknown)


def _of_file(engine: Engine, image: str) -> Footprint | None:
    with engine.scene(image) as scene:
        bounds = scene.bounds_lonlat
    return None if bounds is None else Footprint.of_box(*bounds)
