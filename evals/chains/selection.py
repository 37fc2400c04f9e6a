"""Which things of a scene a question is about, and what is computed of them: the `truth` part of a question."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Measure = Literal[
    "count", "total_area", "mean_area", "median_area", "largest_area", "share_of_image", "per_hectare", "total_perimeter",
    "median_length", "longest", "orientation", "position", "positions", "nearest_distance", "nearest_pair", "distance_of_nth",
    "pairs_within", "area_difference", "larger_total", "larger_value",
]  # fmt: skip


class Near(BaseModel):
    """Within, or beyond, so many metres of any of some things, edge to edge."""

    model_config = ConfigDict(extra="forbid")

    of: "Selection"
    metres: float = Field(gt=0)


class First(BaseModel):
    """The `count` things that have most (or least) of a measure; `north` sorts by the centroid's latitude."""

    model_config = ConfigDict(extra="forbid")

    count: int = Field(ge=1)
    by: Literal["area", "length", "north"]
    smallest: bool = False


class Selection(BaseModel):
    """Things of one category and what else must be true of them; or a union, intersection or difference of selections.

    `bbox` is left, top, right, bottom as shares of the image. Its corners become degrees, rounded to 5 decimals, and a thing is
    inside where its centroid is.
    """

    model_config = ConfigDict(extra="forbid")

    things: str = ""
    any_of: list["Selection"] = []
    all_of: list["Selection"] = []
    minus: "Selection | None" = None
    bbox: tuple[float, float, float, float] | None = None
    area_from: float | None = None
    area_to: float | None = None
    length_from: float | None = None
    length_to: float | None = None
    within: Near | None = None
    beyond: Near | None = None
    inside: "Selection | None" = None
    outside: "Selection | None" = None
    first: First | None = None
    nearest_to: "Selection | None" = None  # the one thing that is nearest to any of these

    @model_validator(mode="after")
    def _one_base(self) -> Self:
        if sum(bool(base) for base in (self.things, self.any_of, self.all_of)) != 1:
            raise ValueError("a selection has one of things, any_of and all_of")
        return self


class Truth(BaseModel):
    """What is computed: a measure of some things, and of others for what compares two."""

    model_config = ConfigDict(extra="forbid")

    measure: Measure
    of: Selection
    to: Selection | None = None
    n: int = 0
    metres: float = 0.0
    value: Literal["total_area", "largest_area", "longest", "count", ""] = ""
    names: tuple[str, str] | None = None
