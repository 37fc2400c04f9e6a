"""Questions in one YAML format: which scene, what is asked, what kind of answer counts, and how the exact one is computed.

    - id: roadstead-median-length
      scene: roadstead
      class: length
      text: "What is the median length of the ships, in metres?"
      answer: {kind: number, unit: m, tolerance: 0.01, pixels: 1}
      truth: {measure: median_length, of: {things: ship}}
      tools: [reason_segment, describe_region]

`{bbox}` in a text becomes the corners of the first bbox of its truth, `{point}` the centroid of the one thing that `point` selects.
The exact answer is never written down: `truth.work_out` computes it. `tools` are those that the scripted solution calls.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from evals.chains.scenes import RECIPES, Scene
from evals.chains.selection import Selection, Truth
from evals.chains.truth import Exact

FOLDER = Path(__file__).parent
Kind = Literal["number", "count", "position", "positions", "choice", "none"]
Topic = Literal[
    "counting", "area", "length", "orientation", "nearest", "within", "beyond", "containment", "comparison", "ordering",
    "no target", "refinement", "several results", "painted words",
]  # fmt: skip
ToolName = Literal["reason_segment", "refine_mask", "describe_region"]


class AnswerForm(BaseModel):
    """What counts as right.

    `number`: within the largest of `tolerance` (a share of the truth), `absolute` (in the unit) and `pixels` (lengths alone: so many
    pixels on the ground). `count`: the same whole number. `position`: [lon, lat] within `pixels` pixels; `positions`: a list of
    them, in any order. `choice`: one of `options`. `none`: the word none.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    unit: str = ""
    tolerance: float = Field(0.0, ge=0, le=0.02)
    absolute: float = Field(0.0, ge=0)
    pixels: float = Field(0.0, ge=0, le=4)
    options: list[str] = []

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == "number" and not (self.unit and (self.tolerance or self.absolute)):
            raise ValueError("a number has a unit, and a tolerance or an absolute one")
        if self.kind == "number" and self.pixels and self.unit != "m":
            raise ValueError("pixels are a tolerance of lengths in metres")
        if self.kind in ("position", "positions") and not self.pixels:
            raise ValueError("a position is right within so many pixels: give pixels")
        if self.kind == "choice" and len(self.options) < 2:
            raise ValueError("a choice has at least two options")
        return self

    def most_off(self, truth: float, gsd_m: float) -> float:
        """By how much a number may differ from the truth."""
        return max(self.absolute, self.tolerance * abs(truth), self.pixels * gsd_m)

    def wanted(self) -> str:
        """The form in words, for whoever answers."""
        return {
            "number": f"a number in {self.unit}",
            "count": "a whole number",
            "position": "[longitude, latitude] of its centroid in degrees, 7 decimals",
            "positions": "a list of [longitude, latitude] of their centroids in degrees, 7 decimals",
            "choice": "one of: " + ", ".join(self.options),
            "none": 'a number, or "none" where there are none',
        }[self.kind]


class Question(BaseModel):
    """One chained question about one scene."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    scene: str
    topic: Topic = Field(alias="class")
    text: str
    answer: AnswerForm
    truth: Truth
    tools: list[ToolName] = []
    point: Selection | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.scene not in RECIPES:
            raise ValueError(f"there is no scene {self.scene!r}")
        if ("{point}" in self.text) != (self.point is not None):
            raise ValueError("{point} in the text and the field point go together")
        return self

    @property
    def scene_kind(self) -> Literal["small", "large", "real"]:
        return RECIPES[self.scene].kind

    def asked(self, scene: Scene) -> str:
        """The text as it is put to whoever answers."""
        text = self.text
        if "{bbox}" in text:
            shares = next(each for each in _bboxes(self.truth.of) if each)
            west, south, east, north = Exact(scene).bbox(shares)
            text = text.replace("{bbox}", f"[{west}, {south}, {east}, {north}] (west, south, east, north in degrees)")
        if self.point:
            exact = Exact(scene)
            [chosen] = exact.chosen(self.point)
            lon, lat = exact.centroid[chosen]
            text = text.replace("{point}", f"[{lon:.7f}, {lat:.7f}] (longitude, latitude)")
        return text


def _bboxes(selection: Selection) -> list[tuple[float, float, float, float]]:
    inner = [*selection.any_of, *selection.all_of, *([selection.minus] if selection.minus else [])]
    own = [selection.bbox] if selection.bbox else []
    return own + [each for part in inner for each in _bboxes(part)]


def read_questions(folder: Path = FOLDER) -> list[Question]:
    """The questions of a folder's YAML files, by file name. Raises ValueError where one is malformed, or two have one id."""
    files = sorted(folder.glob("*.yaml"))
    rows: list[dict[str, Any]] = [row for file in files for row in yaml.safe_load(file.read_text(encoding="utf-8"))]
    questions = [Question.model_validate(row) for row in rows]
    ids = [question.id for question in questions]
    if len(set(ids)) < len(ids):
        raise ValueError(f"ids occur twice: {sorted({each for each in ids if ids.count(each) > 1})}")
    return questions


def chosen_questions(questions: Sequence[Question], which: str) -> list[Question]:
    """`all`, a kind of scene (`small`, `large`, `real`), or ids and names of scenes with commas. ValueError for others."""
    if which == "all":
        return list(questions)
    if which in ("small", "large", "real"):
        return [each for each in questions if each.scene_kind == which]
    wanted = set(which.split(","))
    known = {each.id for each in questions} | {each.scene for each in questions}
    if unknown := wanted - known:
        raise ValueError(f"there are no questions {sorted(unknown)}")
    return [each for each in questions if {each.id, each.scene} & wanted]
