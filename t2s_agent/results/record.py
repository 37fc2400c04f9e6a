"""Defines the record of a result: all its text and numbers, enough to repeat it."""

import secrets
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from t2s_agent.prompting.answer import Outcome
from t2s_agent.prompting.sampling import Sampling
from t2s_agent.regions.fields import About
from t2s_agent.regions.plus_minus import Calibrated, CalibrationUsed, levels, method_of
from t2s_agent.regions.region import Measure, Region, RegionSet
from t2s_agent.regions.rounding import Rounding
from t2s_agent.regions.units import Units
from t2s_agent.results.files import LOCAL
from t2s_agent.scene.named_stretch import stretch_words
from t2s_agent.scene.stretch import Fill, Stretch
from t2s_agent.text import model_name, plain

SCHEMA = 1
INLINE_REGIONS = 1_000  # in a record, which is read as a whole for each answer: 0.6 MB; regions.geojson has all
_THINKING, _RAW, _WARNINGS = 4_000, 20_000, 40  # limits on text from models: characters, and number of warnings


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StretchRecord(_Part):
    """The stretch of the three bands shown: `low` became 0, `high` 255, in the values that the file stores (or in decibels).

    `fills` are values of each band that count as fill, `factor` is that of the logarithm of decibels. `named`: the caller named it.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    fills: tuple[tuple[float, ...], ...] = ((), (), ())
    factor: float | None = None
    named: bool = False

    @property
    def words(self) -> str:
        """The ranges, as a caller may name them for another image."""
        return stretch_words(self.low, self.high)

    def as_stretch(self) -> Stretch:
        """The stretch for a scene."""
        fills = tuple(tuple(Fill(value, 0.0, f"{value:g}") for value in values) for values in self.fills)
        return Stretch(self.low, self.high, fills, factor=self.factor)


class SceneReference(_Part):
    """The pixels that the models saw. `pixels_sha256` is the digest of their input: stretched RGB and validity.

    The fields of the view's scale, and its area, are None in records from before they were kept. Numbers of `bands` below 0 are
    decibels (`scene.decibels`). `sensor` is the sensor that the caller named; `height_m` the height at which an image with only a camera model (RPC) was placed.
    """

    name: str
    path: str  # of a remote image its address, without the query
    address_was_signed: bool = False  # the address had a query, so the image cannot be opened again by `path`
    width: int
    height: int
    crs: str = ""
    gsd_m: float | None = None  # metres per pixel of the scene, at its centre
    view_gsd_m: float | None = None  # metres per pixel of the view that models saw, at its centre
    scene_px_per_view_px: float | None = None  # length of a view pixel in scene pixels; None in older records
    window: tuple[int, int, int, int]
    view_size: tuple[int, int]  # width, height
    bands: tuple[int, int, int]
    max_size: int
    pixels_sha256: str
    valid_share: float
    view_area: float | None = (
        None  # of the view's pixels with data (`regions.summary.image_area`), in the record's unit
    )
    stretch: StretchRecord | None = None  # None for a colour table, and in older records
    sensor: str = ""
    height_m: float | None = None  # above the WGS 84 ellipsoid
    trusted_sidecars: bool = False  # sidecar files of the image were read: world file, CRS, overview or mask


class ModelReference(_Part):
    """A model: the name that the user gave, and the digest of its weights (empty if unknown)."""

    name: str
    digest: str = ""


class Prompted(_Part):
    """A question and its answer. `raw` and `thinking` are a model's text: data, never instructions."""

    style: str = ""
    question: str = ""
    samples: int = 1
    temperature: float = 1.0
    seed: int = 0
    raw: str = ""
    thinking: str = ""
    instances: list[dict[str, Any]] = Field(default_factory=list)
    tokens: int = 0

    @property
    def sampling(self) -> Sampling:
        """How often the model was asked, and how its answers were drawn."""
        return Sampling(self.samples, self.temperature, self.seed)


class SourceRecord(_Part):
    """A region of an earlier result."""

    result: str
    id: int


class CalibrationRecord(_Part):
    """The calibration that plus/minus and probabilities come from: its file's sha256, the data it was measured on, its level.

    Regions of a probability below `cut` are marked unsure.
    """

    sha256: str
    level: float = 0.9
    data: str = ""
    date: str = ""
    cut: float | None = None


class Change(_Part):
    """What a correction did to one region. Areas are in the record's unit.

    `region` is its id in this result (0: removed), `was` its id in the parent (0: new).
    """

    region: int
    was: int
    area_before: float
    area_after: float
    why: str


class RegionRecord(_Part):
    """A region's facts; its outline is in regions.geojson. The record states units and method once for all regions.

    `score` is the segmenter's own estimate of the mask; `agreement` is how far several sampled answers agree on the object. Both run
    from 0 to 1, and are None where nobody gave them. `was` is the region's id in the first parent where its pixels are the same.
    `calibrated`: the plus/minus are those of the record's calibration, else they speak of pixels only.
    The fields from `length` on are as `Region` describes them, and None or empty in records from before they were kept.
    """

    id: int
    label: str = ""
    area: float
    area_pm: float
    perimeter: float
    perimeter_pm: float
    centroid: tuple[float, float]
    bbox: tuple[float, float, float, float]
    score: float | None = None
    agreement: float | None = None
    was: int | None = None
    length: float | None = None
    length_pm: float | None = None
    width: float | None = None
    width_pm: float | None = None
    orientation_deg: float | None = None
    compactness: float | None = None
    touches_edge: bool | None = None
    parts: int | None = None
    overlaps: tuple[int, ...] = ()
    seams: tuple[str, ...] = ()
    sources: tuple[SourceRecord, ...] = ()
    calibrated: bool = False
    probability: float | None = None
    unsure: bool | None = None


class TilingRecord(_Part):
    """How a large scene was looked at: in overlapping windows of a grid, at one resolution. Sizes are in pixels of the grid.

    `windows` is how many the tiling has: `looked_at` were answered, `failed` were tried without success, `not_reached` were never
    tried because a budget was used up. `share_not_looked_at` is the part of the valid area that is in neither. Each window is a
    feature of windows.geojson. `threshold` is that of the rule by which objects are joined across seams; `unsure_objects` counts
    those of which it is unsure. `chosen_because` says why the resolution was chosen by what was asked for; "" where it was not.
    """

    tile: int
    overlap: int
    grid: tuple[int, int]  # width, height
    gsd_m: float | None = None
    chosen_because: str = ""
    windows: int
    looked_at: int
    failed: int = 0
    not_reached: int = 0
    share_not_looked_at: float = 0.0
    threshold: float
    unsure_objects: int = 0


class Record(_Part):
    """One result. It never changes after it is written; results made from it name it as a parent.

    `regions` are at most the first `INLINE_REGIONS` of the `region_count` there are; `StoredRegions` reads the others. `pm_level` is
    "" in records from before it was kept: use the function `pm_level`. `tiling` is None where one view was looked at. `left_out` counts the regions that each filter removed, by the filter's name; `changes` says what corrections did.
    """

    schema_version: int = SCHEMA
    id: str
    parents: tuple[str, ...] = ()
    operation: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    query: str
    status: Outcome
    scene: SceneReference
    prompter: ModelReference
    segmenter: ModelReference
    prompted: Prompted
    located: bool
    unit_area: Literal["m2", "px2"]
    unit_length: Literal["m", "px"]
    method: str
    total_area: float
    total_area_pm: float
    count_low: int | None = (
        None  # the lowest and the highest true number of what was asked for, where a calibration knows
    )
    count_high: int | None = None
    calibration: CalibrationRecord | None = None
    pm_level: str = ""
    tiling: TilingRecord | None = None
    region_count: int = 0
    regions: tuple[RegionRecord, ...] = ()
    left_out: dict[str, int] = Field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = Field(default_factory=dict)
    mask_sha256: str = ""
    code_version: str = ""
    created_utc: str = ""
    owner: str = LOCAL

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, values: Any) -> Any:
        """Counts the regions of a record from before `region_count` was kept: it has them all."""
        if isinstance(values, dict) and "region_count" not in values:
            return {**values, "region_count": len(values.get("regions", ()))}
        return values

    @property
    def units(self) -> Units:
        """Metres or pixels: those of every measure in the record."""
        return Units.of_area(self.unit_area)


def new_id() -> str:
    """Returns `r_` and 24 hexadecimal digits: 8 for the time in seconds, so that ids sort by time, and 16 (64 bits) random."""
    return f"r_{int(time.time()):08x}{secrets.token_hex(8)}"


def code_version() -> str:
    """Returns the installed version of this package."""
    try:
        return version("t2s-agent")
    except PackageNotFoundError:
        return "unknown"


def region_record(region: Region) -> RegionRecord:
    """Returns the facts of a region, rounded according to the size of its pixels."""
    rounding = region.rounding
    west, south, east, north = (rounding.place(v) for v in region.bbox)
    return RegionRecord(
        id=region.id,
        label=plain(region.label, 80),
        area=rounding.area(region.area.value),
        area_pm=rounding.area(region.area.plus_minus),
        perimeter=rounding.length(region.perimeter.value),
        perimeter_pm=rounding.length(region.perimeter.plus_minus),
        centroid=region.centroid,
        bbox=(west, south, east, north),
        score=None if region.score is None else round(region.score, 4),
        agreement=None if region.agreement is None else round(region.agreement, 4),
        was=region.was,
        length=None if region.length is None else rounding.length(region.length.value),
        length_pm=None if region.length is None else rounding.length(region.length.plus_minus),
        width=None if region.width is None else rounding.length(region.width.value),
        width_pm=None if region.width is None else rounding.length(region.width.plus_minus),
        orientation_deg=region.orientation_deg,
        compactness=None if region.compactness is None else round(region.compactness, 3),
        touches_edge=region.touches_edge,
        parts=region.parts,
        overlaps=region.overlaps,
        seams=region.seams,
        sources=tuple(SourceRecord(result=each.result, id=each.id) for each in region.sources),
        calibrated=region.calibrated,
        probability=None if region.probability is None else round(region.probability, 3),
        unsure=region.unsure,
    )


def measures_of(regions: RegionSet) -> dict[str, Any]:
    """Returns the fields of a Record for the method of measurement and the totals."""
    measures = Measures(regions.units)
    for region in regions.regions:
        measures.add(region)
    return measures.fields(regions.calibration, regions.total, regions.count_range) | {
        "left_out": dict(regions.left_out)
    }


class Measures:
    """Collects what a record says of regions, one region after the other, and keeps none but the first `INLINE_REGIONS`."""

    def __init__(self, units: Units) -> None:
        self.units = units
        self.count = 0
        self.unsure = 0
        self._area, self._area_pm = 0.0, 0.0
        self._rounding: Rounding | None = None
        self._calibrated = Calibrated(0, 0)
        self._first: list[RegionRecord] = []

    def add(self, region: Region) -> None:
        """Adds the next region."""
        self.count += 1
        self.unsure += bool(region.unsure)
        self._area += region.area.value
        self._area_pm += region.area.plus_minus
        rounding = region.rounding
        self._rounding = rounding if self._rounding is None else self._rounding.finer(rounding)
        self._calibrated = self._calibrated.plus(region.id, region.calibrated)
        if self.count <= INLINE_REGIONS:
            self._first.append(region_record(region))

    def fields(
        self, used: CalibrationUsed | None, total: Measure | None, count_range: tuple[int, int] | None
    ) -> dict[str, Any]:
        """Returns the fields of a Record. `total` and `count_range` are those of a calibration of the whole answer, if there is one."""
        low, high = count_range or (None, None)
        area = total or Measure(self._area, self._area_pm, self.units.area)
        rounding = self._rounding or Rounding.of(1.0, self.units)
        return {
            "located": self.units.on_earth,
            "unit_area": self.units.area,
            "unit_length": self.units.length,
            "method": method_of(self.units, calibrated=self._calibrated, used=used, total=total is not None),
            "calibration": used and CalibrationRecord(sha256=used.sha256, data=used.data, date=used.date, cut=used.cut),
            "count_low": low,
            "count_high": high,
            "total_area": rounding.area(area.value),
            "total_area_pm": rounding.area(area.plus_minus),
            "pm_level": self._calibrated.levels(total=high is not None),
            "region_count": self.count,
            "regions": tuple(self._first),
        }


def pm_level(result: Record) -> str:
    """Describes what the plus/minus of a result's regions and total cover."""
    return result.pm_level or levels(
        [region.calibrated for region in result.regions], total=result.count_high is not None
    )


def about(result: Record) -> About:
    """Returns the facts of a result that files repeat for each region; models without their folder or URL on this machine."""
    return About(
        result=result.id,
        question=result.query,
        image=result.scene.name,
        prompter=model_name(result.prompter.name),
        segmenter=model_name(result.segmenter.name),
        pm_level=pm_level(result),
        pm_method=result.method,
    )


def bounded_warnings(warnings: tuple[str, ...]) -> tuple[str, ...]:
    """Returns at most 40 warnings of at most 300 characters each."""
    kept = tuple(plain(w, 300) for w in warnings[:_WARNINGS])
    return kept if len(warnings) <= _WARNINGS else (*kept, f"and {len(warnings) - _WARNINGS} more")


def prompted_words(raw: str, thinking: str) -> dict[str, str]:
    """Returns a model's text, shortened for the record."""
    return {"raw": plain(raw, _RAW), "thinking": plain(thinking, _THINKING)}
