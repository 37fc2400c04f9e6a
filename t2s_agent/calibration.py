"""How far off numbers can be, as measured on imagery that a prompter and a segmenter were not trained on.

A model's folder may hold `calibration.json`, made by `python -m evals.calibrate`. It is bound to the digests of the weights that it was
made for. With it, a plus/minus is an interval that held the true value of 90 % of the objects and answers that it was made from;
without it a plus/minus speaks of pixels only, and says so.

**How.** A small linear model says, from what is known when the answer is given (size, the segmenter's score, the mask's soft edge), how
large a relative error is usual. What it says is multiplied by a factor, one for each range of sizes, that was chosen as split-conformal
prediction does: the ceil((n + 1) * 0.9)-th smallest of the n ratios of real to usual errors (Vovk et al. 2005; Lei et al. 2018).
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from t2s_agent.errors import T2SError

FILE = "calibration.json"
LEVEL = 0.9  # of the whole project
Prompts = Literal["model", "box", "point", "box_points"]
Measured = Literal["area", "perimeter", "length", "width"]
MEASURED: tuple[Measured, ...] = ("area", "perimeter", "length", "width")
FEATURES = ("log_area", "score", "softness", "touches_edge")
_LARGEST = 1e6  # bytes of a calibration file
PIXEL_ONLY = "pixel only: the model's own error is not known"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Usual(_Part):
    """The usual size of an error: exp(intercept + sum of weight * feature), each feature kept within what was seen.

    `low` and `high` are the features' limits; `weights` has one number for each of `FEATURES`.
    """

    intercept: float
    weights: tuple[float, ...] = Field(min_length=len(FEATURES), max_length=len(FEATURES))
    low: tuple[float, ...] = Field(min_length=len(FEATURES), max_length=len(FEATURES))
    high: tuple[float, ...] = Field(min_length=len(FEATURES), max_length=len(FEATURES))

    def at(self, features: "Features") -> float:
        """The sum, before any exp."""
        values = np.clip(features.values(), self.low, self.high)
        return self.intercept + float(values @ np.array(self.weights))


class Widths(_Part):
    """Half-widths of one measure: the usual relative error times the factor of the range that the size falls in.

    `edges` are the sizes (pixels) at which ranges meet; `factors` has one more; `n` says how many objects each was chosen from.
    """

    usual: Usual
    edges: tuple[float, ...]
    factors: tuple[float, ...]
    n: tuple[int, ...]

    def relative(self, features: "Features") -> float:
        """Half-width of the interval, as a share of the value."""
        return math.exp(self.usual.at(features)) * self.factors[range_of(features.area_px, self.edges)]


class Totals(_Part):
    """Of an answer, by the number of regions found: `edges` are the counts at which ranges meet.

    Half-width of the total area: `area_factors` times the sum of what was found and `view_share` of the view's area, so that it is not 0
    where nothing was found. `count_low` and `count_high`: what (count + 1) is multiplied by for the lowest and the highest
    (true count + 1). `n`: how many answers each was chosen from.
    """

    edges: tuple[float, ...]
    view_share: float
    area_factors: tuple[float, ...]
    count_low: tuple[float, ...]
    count_high: tuple[float, ...]
    n: tuple[int, ...]


class Coverage(_Part):
    """What was measured on the half that nothing was chosen on: how often intervals held, how wide they were."""

    prompts: str
    measure: str
    slice: str
    n: int
    covered: float
    half_width: float | None = None  # median, relative to the value


class ForPrompts(_Part):
    """The tables for prompts of one source."""

    measures: dict[Measured, Widths]


class Made(_Part):
    """What a calibration was made from."""

    data: str
    split: str
    date: str
    images: int
    command: str = ""


class Calibration(_Part):
    """All of a `calibration.json`.

    `segmenter` and `prompter` are the digests of the weights. The tables of a person's prompts hold for the segmenter with whatever
    prompter; those of the model's own prompts for both together, asked in `style` for so many `samples`. `probability` is that of a
    region to be what was asked for (IoU with a true object of at least 0.5); below `cut` a region is called unsure.
    """

    schema_version: Literal[1] = 1
    level: float
    segmenter: str
    prompter: str
    style: str
    samples: int
    made: Made
    prompts: dict[Prompts, ForPrompts]
    probability: Usual | None = None
    cut: float | None = None
    totals: Totals | None = None
    coverage: tuple[Coverage, ...] = ()


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of a region when it is given. `area_px`: View pixels."""

    area_px: float
    score: float
    softness: float
    touches_edge: bool

    @classmethod
    def of(cls, area_px: float, score: float | None, softness: float | None, touches_edge: bool | None) -> "Features":
        """With 0.5 for what a segmenter does not say, here and where a calibration is made."""
        score, softness = (0.5 if value is None else value for value in (score, softness))
        return cls(area_px, score, softness, bool(touches_edge))

    def values(self) -> np.ndarray:
        """In the order of `FEATURES`, float64."""
        return np.array([math.log(max(self.area_px, 1.0)), self.score, self.softness, float(self.touches_edge)])


@dataclass(frozen=True, slots=True)
class Loaded:
    """A calibration, and the sha256 of its file, by which results name it."""

    table: Calibration
    sha256: str

    @classmethod
    def load(cls, folder: Path) -> "Loaded | None":
        """That of a model's folder; None where it has none. Raises `model_unavailable` for a file that is damaged."""
        file = folder / FILE
        if not file.is_file():
            return None
        return cls.read(file)

    @classmethod
    def read(cls, file: Path) -> "Loaded":
        """A file by its path. Raises `model_unavailable`."""
        fix = "Make it again with python -m evals.calibrate, or remove it: then plus/minus is pixel only"
        if file.stat().st_size > _LARGEST:
            raise T2SError("model_unavailable", f"{file.name} has more than {_LARGEST:.0f} bytes", fix)
        raw = file.read_bytes()
        try:
            table = Calibration.model_validate_json(raw)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise T2SError("model_unavailable", f"{file.name} is damaged at {where}: {first['msg']}", fix) from error
        return cls(table, hashlib.sha256(raw).hexdigest())

    def widths(self, prompts: Prompts, features: Features) -> Mapping[Measured, float] | None:
        """Relative half-widths of a region's measures; None where prompts of that source were not calibrated."""
        found = self.table.prompts.get(prompts)
        return None if found is None else {name: each.relative(features) for name, each in found.measures.items()}

    def probability(self, features: Features) -> float | None:
        """That a region of the model's own prompts is what was asked for, 0 to 1."""
        usual = self.table.probability
        return None if usual is None else 1 / (1 + math.exp(-usual.at(features)))

    def total_area(self, count: int, area: float, view_area: float) -> float | None:
        """Half-width of an answer's total area, in the unit of both areas."""
        totals = self.table.totals
        if totals is None:
            return None
        return totals.area_factors[range_of(count, totals.edges)] * (area + totals.view_share * view_area)

    def count(self, count: int) -> tuple[int, int] | None:
        """The lowest and highest true count of what was asked for."""
        totals = self.table.totals
        if totals is None:
            return None
        at = range_of(count, totals.edges)
        low = math.ceil((count + 1) * totals.count_low[at] - 1 - 1e-9)
        return max(0, low), max(0, math.floor((count + 1) * totals.count_high[at] - 1 + 1e-9))


def range_of(value: float, edges: tuple[float, ...]) -> int:
    """The number of the range that a value falls in: range i ends before edge i."""
    return int(np.searchsorted(edges, value, side="right"))
