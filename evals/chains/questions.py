"""Questions in one YAML format: what is asked of which scene, what kind of answer counts, and how the right one is computed.

    - id: roadstead-median-length
      scene: roadstead
      class: measured list
      text: "What is the median length of the ships, in metres?"
      answer: {kind: number, unit: m, tolerance: 0.02}
      truth: {measure: median_length, of: {things: ship}}

`{bbox}` in a text becomes the corners of the first bbox of its truth. The right answer is never written down: `work_out` computes it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from evals.chains.scenes import RECIPES, Scene
from evals.chains.truth import Exact, Selection, Truth

FILE = Path(__file__).with_name("questions.yaml")
Kind = Literal["number", "count", "position", "positions", "choice", "none"]


class AnswerForm(BaseModel):
    """What counts as right.

    `number`: within `tolerance` of the truth as a share, or within `absolute`. `count`: the same whole number. `position`:
    [lon, lat] within `px` pixels; `positions`: a list of them, in any order. `choice`: one of `options`. `none`: the word none.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    unit: str = ""
    tolerance: float = Field(0.0, ge=0, le=0.2)
    absolute: float = Field(0.0, ge=0)
    px: float = Field(2.0, gt=0)
    options: list[str] = []

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == "number" and not (self.unit and (self.tolerance or self.absolute)):
            raise ValueError("a number has a unit, and a tolerance or an absolute one")
        if self.kind == "choice" and len(self.options) < 2:
            raise ValueError("a choice has at least two options")
        return self

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
    """One question of the trial."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    scene: str
    topic: str = Field(alias="class")
    text: str
    answer: AnswerForm
    truth: Truth
    needs: Literal["", "tiles", "many objects"] = ""

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.scene not in RECIPES:
            raise ValueError(f"there is no scene {self.scene!r}")
        return self

    @property
    def hard(self) -> bool:
        return RECIPES[self.scene].hard

    def asked(self, scene: Scene) -> str:
        """The text as it is put to whoever answers."""
        if "{bbox}" not in self.text:
            return self.text
        shares = next(each for each in _bboxes(self.truth.of) if each)
        west, south, east, north = Exact(scene).bbox(shares)
        return self.text.replace("{bbox}", f"[{west}, {south}, {east}, {north}] (west, south, east, north in degrees)")


def _bboxes(selection: Selection) -> list[tuple[float, float, float, float]]:
    inner = [*selection.any_of, *selection.all_of, *([selection.minus] if selection.minus else [])]
    own = [selection.bbox] if selection.bbox else []
    return own + [each for part in inner for each in _bboxes(part)]


def read_questions(path: Path = FILE) -> list[Question]:
    """The questions of a file. Raises ValueError where one is not as it has to be, or two have one id."""
    rows: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    questions = [Question.model_validate(row) for row in rows]
    ids = [question.id for question in questions]
    if len(set(ids)) < len(ids):
        raise ValueError(f"ids occur twice: {sorted({each for each in ids if ids.count(each) > 1})}")
    return questions


def chosen_questions(
    questions: Sequence[Question], which: str, offered: Sequence[str] = ("many objects",)
) -> list[Question]:
    """`all`, `easy`, `hard`, or ids with commas. What needs something that is not offered is left out, unless it is named by id."""
    if which in ("all", "easy", "hard"):
        fits = [each for each in questions if which == "all" or each.hard == (which == "hard")]
        return [each for each in fits if not each.needs or each.needs in offered]
    wanted = which.split(",")
    unknown = set(wanted) - {each.id for each in questions}
    if unknown:
        raise ValueError(f"there are no questions {sorted(unknown)}")
    return [each for each in questions if each.id in wanted]
