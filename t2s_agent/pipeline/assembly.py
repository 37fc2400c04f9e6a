"""Puts the pieces of a ledger's windows together: objects, regions with their measures, and blocks of labels."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from t2s_agent.pipeline.calibrating import with_own_prompts
from t2s_agent.pipeline.engine import Engine
from t2s_agent.regions.build import measured_all
from t2s_agent.regions.region import Region, RegionSet
from t2s_agent.regions.units import Units
from t2s_agent.scene import Grid
from t2s_agent.tiling.chunks import chunks
from t2s_agent.tiling.ledger import Ledger
from t2s_agent.tiling.outlines import outlines
from t2s_agent.tiling.painting import Block, blocks, numbered
from t2s_agent.tiling.seams import join
from t2s_agent.tiling.shapes import Shapes
from t2s_agent.tiling.windows import Tiling

if TYPE_CHECKING:
    from t2s_agent.regions.plus_minus import CalibrationUsed

THRESHOLD = 0.5  # IoU where two windows saw the same, from which they saw the same object (tiling.seams)
_NO_LABELS = np.zeros((0, 0), np.int32)


class Assembly:
    """Joins, paints and measures what a ledger holds. Take `regions` first: what they leave out is 0 in `blocks`."""

    def __init__(
        self,
        engine: Engine,
        grid: Grid,
        tiling: Tiling,
        ledger: Ledger,
        shapes: Shapes,
        *,
        union: bool,
        min_area_m2: float,
    ) -> None:
        self._engine, self._grid, self._tiling, self._ledger, self._shapes = engine, grid, tiling, ledger, shapes
        self._union, self._min_area = union, min_area_m2
        self._joined = join(tiling, ledger.pieces_of, THRESHOLD)
        self._objects = numbered(tiling, self._joined, ledger.pieces_of)
        self._ids = np.zeros(len(self._objects) + 1, np.int32)
        self.count = self.too_small = self.without_area = 0
        self.unsure = 0  # objects that the windows do not agree on
        self.calibration: CalibrationUsed | None = None
        self.remarks: tuple[str, ...] = ()  # why no calibration is used

    def regions(self) -> Iterator[Sequence[Region]]:
        """The regions in chunks, with ids from 1."""
        self._shapes.write(outlines(self._blocks()))
        numbers, boxes = self._shapes.boxes()
        count = 0
        for chosen in chunks(boxes):
            ids = numbers[chosen].tolist()
            kept: list[Region] = []
            for number, region in zip(ids, measured_all(self._shapes.read(ids), self._grid), strict=True):
                if region is None:
                    self.without_area += 1
                elif region.area.value < self._min_area:
                    self.too_small += 1
                else:
                    count += 1
                    self._ids[number] = self.count = count
                    kept.append(replace(region, id=count) if self._union else self._named(region, number, count))
            yield kept if self._union else self._calibrated(kept)

    def blocks(self) -> Iterator[Block]:
        """Blocks of labels with the ids of the regions; after all of `regions` were taken."""
        for block in self._blocks():
            yield replace(block, labels=self._ids[block.labels])

    def _blocks(self) -> Iterator[Block]:
        for block in blocks(self._tiling, self._joined, self._ledger.pieces_of, objects=self._objects):
            if self._union:
                yield replace(block, labels=np.minimum(block.labels, 1), last=())
            else:
                yield block

    def _named(self, region: Region, number: int, id_: int) -> Region:
        """The region with what is known of the piece that shows the most of it."""
        painted = self._objects[number - 1]
        about = self._ledger.about(painted.source)
        self.unsure += bool(painted.joined.unsure)
        return replace(
            region,
            id=id_,
            score=about.score,
            softness=about.softness,
            instance=about.instance,
            label=about.instance.label,
            agreement=about.instance.score,
            seams=painted.joined.unsure,
        )

    def _calibrated(self, regions: Sequence[Region]) -> Sequence[Region]:
        found = with_own_prompts(self._engine, RegionSet(tuple(regions), _NO_LABELS, Units.of(self._grid.georeference)))
        self.calibration = self.calibration or found.calibration
        if found.calibration is None:
            self.remarks = found.warnings
        return found.regions
