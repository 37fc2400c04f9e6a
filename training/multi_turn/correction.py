"""What a policy may change about its first masks, and how its text is read: strictly, since a reward depends on it."""

import re
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from t2s_agent.instance import Box, Instance, Point
from t2s_agent.prompting.frames import Frame

MOST = 32  # points of a kind, and masks to drop
_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_FENCE = re.compile(r"^\s*(?:```(?:json)?)?(.*?)(?:```)?\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Correction:
    """Points and a box in View pixels, and the numbers of masks to drop, as `t2s_agent.pipeline.refine.Refinement` takes them.

    `kind` says by a short name why a text could not be read; such a correction changes nothing.
    """

    positive: tuple[Point, ...] = ()
    negative: tuple[Point, ...] = ()
    box: Box | None = None
    drop: tuple[int, ...] = ()
    kind: str = ""

    @property
    def empty(self) -> bool:
        """Whether it changes nothing."""
        return not (self.positive or self.negative or self.box or self.drop)


class _Written(BaseModel):
    """The JSON that a policy writes, in the numbers of its frame."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    positive_points: list[tuple[float, float]] = Field(default=[], max_length=MOST)
    negative_points: list[tuple[float, float]] = Field(default=[], max_length=MOST)
    bbox_2d: tuple[float, float, float, float] | None = None
    drop: list[int] = Field(default=[], max_length=MOST)


def read_correction(text: str, frame: Frame) -> Correction:
    """Reads the JSON object between the last answer tags; `{}` and `[]` change nothing.

    Kinds: `no_answer` without tags, `no_json`, `wrong_keys` for other keys or values, `outside` for numbers beyond the frame.
    """
    found = _ANSWER.findall(text)
    if not found:
        return Correction(kind="no_answer")
    body = _FENCE.sub(r"\1", found[-1]).strip()
    if body == "[]":
        return Correction()
    try:
        return _placed(_Written.model_validate_json(body), frame)
    except ValidationError as error:
        return Correction(kind="no_json" if error.errors()[0]["type"] == "json_invalid" else "wrong_keys")


def _placed(written: _Written, frame: Frame) -> Correction:
    box = written.bbox_2d
    corners = [] if box is None else [box[:2], box[2:]]
    if not all(_inside(point, frame) for point in (*written.positive_points, *written.negative_points, *corners)):
        return Correction(kind="outside")
    if box is not None and not (box[0] < box[2] and box[1] < box[3]):
        return Correction(kind="wrong_keys")
    moved = frame.to_view(Instance(box, tuple(written.positive_points), tuple(written.negative_points)))
    return Correction(moved.positive, moved.negative, moved.box, tuple(written.drop))


def _inside(point: tuple[float, float], frame: Frame) -> bool:
    return 0 <= point[0] <= frame.model.width and 0 <= point[1] <= frame.model.height
