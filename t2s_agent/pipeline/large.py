"""Answers a question about a large scene from windows at full resolution, put together into objects that do not depend on them."""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from t2s_agent.errors import T2SError
from t2s_agent.pipeline.assembly import Assembly
from t2s_agent.pipeline.calibrating import unsure_of
from t2s_agent.pipeline.engine import Engine
from t2s_agent.pipeline.resolution import Gsd, Resolution, step_of
from t2s_agent.pipeline.saving import Saved, prompter_reference, segmenter_reference
from t2s_agent.pipeline.saving_large import store_large_result
from t2s_agent.pipeline.steps import Clock, Progress
from t2s_agent.pipeline.tiled_view import digest_of_windows
from t2s_agent.pipeline.window_accounts import about_windows, answered_by, looks_of, tiling_record
from t2s_agent.pipeline.windows import Budget, Looking, in_order
from t2s_agent.prompting.answer import Answer
from t2s_agent.prompting.sampling import Sampling
from t2s_agent.regions.mask_blocks import LabelBlock
from t2s_agent.regions.spool import RegionSpool
from t2s_agent.results.record import Prompted, SceneReference, TilingRecord, code_version, prompted_words
from t2s_agent.scene import Grid, Scene, View, Window
from t2s_agent.scene.scale import COARSE, Scale
from t2s_agent.tiling.ledger import LOOKED_AT, Ledger, forget, ledger_of
from t2s_agent.tiling.shapes import Shapes
from t2s_agent.tiling.windows import Tiling

Mode = Literal["auto", "overview", "full"]
OVERLAP = 1 / 8  # of a window's side: objects up to this size are seen whole by at least one window
_PREVIEW = 2048  # px of the picture of a result


def wants_windows(view: View, scene: Scene, mode: Mode, gsd_m: Gsd) -> bool:
    """Whether a scene, or the part of it that `view` shows, is looked at in windows.

    `full`: where the view is coarser than the scene, or than `gsd_m`; `auto`: where it is so much coarser that small objects cannot
    be seen; `overview`: never.
    """
    if mode == "overview":
        return False
    coarser = Scale.of(view, None).scene_px / step_of(scene, gsd_m)
    return coarser > (COARSE if mode == "auto" else 1.0 + 1e-9)


def grid_of(scene: Scene, window: Window, step: int) -> Grid:
    """The grid of a window of a scene, whose pixels are `step` scene pixels; a rest of less than `step` at its end is left out."""
    width, height = max(1, window.width // step), max(1, window.height // step)
    covered = Window(window.x, window.y, width * step, height * step)
    georeference = scene.georeference.resized(covered, width, height)
    return Grid(georeference, covered, width, height, step, georeference.typical_gsd_m(width, height))


@dataclass(frozen=True, slots=True)
class LargeQuestion:
    """A question about a part of a scene that one view cannot show. `view` and `answer` are the overview's."""

    engine: Engine
    scene: Scene
    view: View
    answer: Answer
    question: str
    reference: SceneReference
    bands: str | None
    resolution: Resolution
    budget: Budget
    union: bool
    min_area_m2: float
    parameters: dict[str, Any]
    remarks: tuple[str, ...]
    clock: Clock
    progress: Progress

    def segment(self) -> Saved:
        """Looks at all windows, or as many as the budget allows, and stores the result.

        Work that ends before (killed, cancelled, out of budget) is kept in the store: the same question goes on where it ended.
        """
        grid = grid_of(self.scene, self.view.window, self.resolution.step)
        side = self.engine.settings.max_size
        tiling = Tiling(grid.width, grid.height, side, int(side * OVERLAP))
        store = self.engine.store.folder
        with ledger_of(store, self._key(grid, tiling)) as ledger:
            looking = Looking(
                self.engine, self.scene, grid, tiling, self.question, self.bands, ledger, self.clock, self.progress
            )
            looking.look(in_order(tiling, self._promising(grid, ledger)), self.budget)
            saved = self._saved(grid, tiling, ledger)
            if saved.record.tiling is not None and saved.record.tiling.looked_at == len(tiling):
                forget(store, ledger)
            return saved

    def _promising(self, grid: Grid, ledger: Ledger) -> list[tuple[int, int, int, int]]:
        """Boxes of the overview's answer in grid pixels. The first ones are kept, so that resumed work has the same order."""
        kept = ledger.remembered("promising")
        if kept is None:
            across, down = grid.width / self.view.width, grid.height / self.view.height
            boxes = [each.scaled(across, down).box for each in self.answer.instances]
            kept = [_whole_pixels(box, grid) for box in boxes if box is not None]
            ledger.remember("promising", kept)
        return [tuple(box) for box in kept]

    def _saved(self, grid: Grid, tiling: Tiling, ledger: Ledger) -> Saved:
        self.progress("joining objects across windows")
        shapes = Shapes(ledger.folder / "shapes.sqlite")
        with RegionSpool(ledger.folder) as spool:
            with self.clock("regions"):
                assembly = Assembly(
                    self.engine, grid, tiling, ledger, shapes, union=self.union, min_area_m2=self.min_area_m2
                )
                unsure = 0
                for chunk in assembly.regions():
                    spool.add(chunk)
                    unsure += sum(bool(region.unsure) for region in chunk)
            looks = looks_of(tiling, ledger)
            record = tiling_record(tiling, grid, ledger, self.view, assembly.unsure, self._because(tiling))
            return store_large_result(
                self.engine,
                grid,
                self._overview(),
                self._reference(grid, ledger),
                (LabelBlock(each.x, each.y, each.labels) for each in assembly.blocks()),
                (region for chunk in spool.chunks() for region in chunk),
                most_id=assembly.count,
                query=self.question,
                operation="segment",
                parameters=self.parameters,
                prompter=prompter_reference(self.engine),
                segmenter=segmenter_reference(self.engine),
                prompted=self._prompted(ledger),
                warnings=self._warnings(record, assembly, unsure, ledger),
                clock=self.clock,
                progress=self.progress,
                answered=answered_by(ledger),
                complete=record.looked_at == record.windows,
                left_out={"min_area_m2": assembly.too_small} if assembly.too_small else None,
                calibration=assembly.calibration,
                tiling=record,
                windows=looks,
            )

    def _because(self, tiling: Tiling) -> str:
        """Why the windows have their resolution, where it was chosen by what was asked for."""
        full = Tiling(self.view.window.width, self.view.window.height, tiling.tile, tiling.overlap)
        return self.resolution.because(self.scene, len(tiling), len(full))

    def _rest(self) -> list[str]:
        """A warning about scene pixels at the right and lower edge that do not fill a pixel of the windows."""
        step, window = self.resolution.step, self.view.window
        right, bottom = window.width % step, window.height % step
        if not right and not bottom:
            return []
        where = f"{right} px at the right and {bottom} px at the lower edge of the image"
        return [f"strips of {where}, less than a pixel of the windows, were not looked at"]

    def _overview(self) -> View:
        """The picture of the result."""
        try:
            return self.scene.view(window=self.view.window, max_size=_PREVIEW, bands=self.bands)
        except T2SError as error:
            if error.code != "limit_exceeded":
                raise
            return self.view  # put together from parts; once is enough

    def _reference(self, grid: Grid, ledger: Ledger) -> SceneReference:
        looked_at = ((each.index, each.pixels if each.status in LOOKED_AT else "") for each in ledger.windows())
        return self.reference.model_copy(
            update={
                "window": grid.window,
                "view_size": (grid.width, grid.height),
                "pixels_sha256": digest_of_windows(grid.width, grid.height, looked_at),
            }
        )

    def _prompted(self, ledger: Ledger) -> Prompted:
        """The overview's answer. Those of the windows are in windows.geojson; here is the digest of them all."""
        sampling = Sampling.of(self.engine.settings)
        answers = hashlib.sha256()
        for looked in ledger.windows():
            answers.update(f"{looked.index}:{looked.raw};".encode())
        raw = f"{self.answer.raw}\n(answers of the windows: sha256 {answers.hexdigest()})"
        return Prompted(
            style=self.engine.settings.style,
            question=self.question,
            samples=sampling.samples,
            temperature=sampling.temperature,
            seed=sampling.seed,
            tokens=self.answer.tokens + ledger.tokens(),
            **prompted_words(raw, self.answer.thinking),  # type: ignore[arg-type]  # all values are text
        )

    def _key(self, grid: Grid, tiling: Tiling) -> str:
        """The hash of all that the windows' answers depend on."""
        settings, models = self.engine.settings, self.engine.models
        said = {
            "scene": [self.scene.address, self.reference.pixels_sha256, self.scene.width, self.scene.height],
            "file": _version_of(Path(self.scene.address)),
            "window": [*grid.window, grid.step],
            "tiling": [tiling.tile, tiling.overlap],
            "bands": list(self.view.bands),
            "stretch": self.reference.stretch and self.reference.stretch.model_dump(),
            "question": self.question,
            "prompter": [settings.prompter, models.prompter().digest, settings.style, settings.max_new_tokens],
            "sampling": [settings.samples, settings.temperature, settings.seed],
            "segmenter": [settings.segmenter, models.segmenter().digest],
            "owner": self.engine.store.owner,
            "version": code_version(),
        }
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]

    def _warnings(self, record: TilingRecord, assembly: Assembly, unsure: int, ledger: Ledger) -> list[str]:
        lines = [
            *self.remarks,
            *filter(None, [record.chosen_because]),
            *self._rest(),
            *about_windows(record, ledger),
            *assembly.remarks,
        ]
        cut = assembly.calibration.cut if assembly.calibration else None
        if compared := _COMPARED.search(self.question):
            lines.append(
                f"each window was asked by itself, so {compared[0]!r} was answered for each window and not for the whole scene: "
                "ask for all of them, then sort the result by a measure"
            )
        if assembly.unsure:
            lines.append(about_seams(assembly.unsure))
        return [*lines, unsure_of(unsure, assembly.count, cut)] if unsure and cut is not None else lines


_COMPARED = re.compile(
    r"\b(?:larg|bigg|small|tall|long|short|wid|near|clos|farth|furth|bright|dark)est\b|\b(?:north|south|east|west|left|right|top|bottom)(?:ern)?-?most\b"
    r"|\b(?:most|least|first|second|third|last)\b",
    re.IGNORECASE,
)  # words whose meaning needs the whole scene


def about_seams(count: int) -> str:
    """A warning that windows do not agree on some objects."""
    lie = f"{count} objects lie" if count != 1 else "1 object lies"
    return (
        f"{lie} across edges of windows that do not agree on {'them' if count != 1 else 'it'}: the column seams says why; "
        "ask again with a bbox around one to see it whole"
    )


def _version_of(path: Path) -> list[int]:
    """Size and time of change of a local file: what an overview averages away may have changed too. Empty for other scenes."""
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def _whole_pixels(box: tuple[float, float, float, float], grid: Grid) -> tuple[int, int, int, int]:
    """The grid pixels that a box touches."""
    x1, y1, x2, y2 = box
    return (
        max(0, math.floor(x1)), max(0, math.floor(y1)), min(grid.width, math.ceil(x2)), min(grid.height, math.ceil(y2)),
    )  # fmt: skip
