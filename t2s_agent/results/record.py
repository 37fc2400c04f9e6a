"""Defines the record of a result: all its text and numbers, enough to repeat it."""

import secrets
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from t2s_agent.prompting.answer import Outcome
from t2s_agent.prompting.sampling import Sampling
from t2s_agent.regions.fields import About
from t2s_agent.regions.plus_minus import levels
from t2s_agent.regions.region import Region, RegionSet
from t2s_agent.regions.units import Units
from t2s_agent.results.files import LOCAL
from t2s_agent.text import model_name, plain

SCHEMA = 1
_THINKING, _RAW, _WARNINGS = 4_000, 20_000, 40  # limits on text from models: characters, and number of warnings


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SceneReference(_Part):
    """The pixels that the models saw. `pixels_sha256` is the digest of their input: stretched RGB and validity.

    The fields of the view's scale, and its area, are None in records from before they were kept.
    """

    name: str
    path: str
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
    sources: tuple[SourceRecord, ...] = ()
    calibrated: bool = False
    probability: float | None = None
    unsure: bool | None = None


class Record(_Part):
    """One result. It never changes after it is written; results made from it name it as a parent.

    `left_out` counts the regions that each filter removed, by the filter's name; `changes` says what corrections did.
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
    regions: tuple[RegionRecord, ...] = ()
    left_out: dict[str, int] = Field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = Field(default_factory=dict)
    mask_sha256: str = ""
    code_version: str = ""
    created_utc: str = ""
    owner: str = LOCAL

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


def region_records(regions: RegionSet) -> tuple[RegionRecord, ...]:
    """Returns the facts of regions, rounded according to the size of their pixels."""
    return tuple(_region(region) for region in regions.regions)


def _region(region: Region) -> RegionRecord:
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
        sources=tuple(SourceRecord(result=each.result, id=each.id) for each in region.sources),
        calibrated=region.calibrated,
        probability=None if region.probability is None else round(region.probability, 3),
        unsure=region.unsure,
    )


def measures_of(regions: RegionSet) -> dict[str, Any]:
    """Returns the fields of a Record for the method of measurement and the totals."""
    total, rounding, used = regions.total_area(), regions.rounding(), regions.calibration
    low, high = regions.count_range or (None, None)
    return {
        "located": regions.units.on_earth,
        "unit_area": regions.units.area,
        "unit_length": regions.units.length,
        "method": regions.method(),
        "calibration": used and CalibrationRecord(sha256=used.sha256, data=used.data, date=used.date, cut=used.cut),
        "count_low": low,
        "count_high": high,
        "total_area": rounding.area(total.value),
        "total_area_pm": rounding.area(total.plus_minus),
        "regions": region_records(regions),
        "left_out": dict(regions.left_out),
    }


def pm_level(result: Record) -> str:
    """Describes what the plus/minus of a result's regions and total cover."""
    return levels([region.calibrated for region in result.regions], total=result.count_high is not None)


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
