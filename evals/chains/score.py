"""Whether an answer is right, and where it went wrong if it is not.

Classes of failure, the first that fits: `no answer`; `perception` (what was found is not what is there); `unit` (right but for a
factor between units); `tool` (no tool was called, or one that does not exist); `argument name` (a call was refused for an argument
that no tool has); `value` (everything else: a wrong argument's value, a wrong choice, a wrong sum).
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pyproj import Geod

from evals.chains.questions import Question
from evals.chains.scenes import Scene
from evals.chains.truth import Exact, Worked, work_out

Failure = Literal["", "no answer", "perception", "unit", "tool", "argument name", "value"]
FACTORS = (
    1e4,
    1e6,
    100.0,
    1e3,
    10.0,
    0.3048,
    0.3048**2,
    1.609344,
    4046.8564,
)  # ha, km2, %, km, and those of feet and miles
_WGS84 = Geod(ellps="WGS84")
_NONE = {"none", "no", "0", "0.0", "empty", "nothing"}
STURDY_PX = 0.7  # thresholds may move by so much without changing what counts as right
_FIRST_PX, _FIRST_SHARE = 1.2, 0.004  # by which the first must be ahead of the second


def right(question: Question, worked: Worked, answer: Any, gsd_m: float) -> bool:
    """Whether an answer counts. Text that holds a number, a list or a word is read as that."""
    form, truth = question.answer, worked.answer
    if answer is None:
        return False
    if form.kind in ("number", "count"):
        number = as_number(answer)
        return number is not None and abs(number - truth) <= max(form.absolute, form.tolerance * abs(truth))
    if form.kind == "choice":
        return isinstance(answer, str) and answer.strip().strip('."').casefold() == str(truth).casefold()
    if form.kind == "none":
        return str(answer).strip().strip('."').casefold() in _NONE if truth == 0 else as_number(answer) == truth
    wanted = [truth] if form.kind == "position" else truth
    given = _positions(answer)
    if given is None or len(given) != len(wanted):
        return False
    left = list(given)
    for lon, lat in wanted:
        apart = [_WGS84.inv(lon, lat, *each)[2] / gsd_m for each in left]
        if not apart or min(apart) > form.px:
            return False
        left.pop(int(np.argmin(apart)))
    return True


def failure(
    question: Question,
    worked: Worked,
    answer: Any,
    scene: Scene,
    calls: Sequence[Mapping[str, Any]],
    *,
    pictures_only: bool = False,
) -> Failure:
    """Where an answer went wrong; "" for a right one. `calls` are the rows of the log that belong to the question."""
    if right(question, worked, answer, scene.gsd_m):
        return ""
    if answer is None or str(answer).strip() == "":
        return "no answer"
    if question.answer.kind in ("number", "count") and _other_unit(question, worked, answer, scene.gsd_m):
        return "unit"
    if pictures_only:
        return "perception"
    if not calls or any("there is no tool" in str(call.get("error", "")) for call in calls):
        return "tool"
    if any(re.search(r"has no argument|no argument|unknown argument", str(call.get("error", ""))) for call in calls):
        return "argument name"
    if any(_misseen(call, scene) for call in calls):
        return "perception"
    return "value"


def sturdy(question: Question, scene: Scene, exact: Exact | None = None) -> list[str]:
    """What speaks against a question: reasons why its answer hangs on less than a mask of pixels can know. None for a good one."""
    exact = exact or Exact(scene)
    worked = work_out(scene, question.truth, exact)
    answer, margin_px, margin_share = worked.answer, worked.margin_px, worked.margin_share
    found = []
    for shift in (-STURDY_PX, STURDY_PX):
        exact.shift_px = shift
        moved = work_out(scene, question.truth, exact).answer
        if not right(question, Worked(answer), moved, scene.gsd_m):
            found.append(f"with thresholds moved by {shift} px it is {moved}, not {answer}")
    exact.shift_px = 0.0
    if margin_px < _FIRST_PX:
        found.append(f"the first is nearer than the second by {margin_px:.2f} px only")
    if margin_share < _FIRST_SHARE and question.answer.kind in ("position", "positions", "choice"):
        found.append(f"the first is ahead of the second by a share of {margin_share:.4f} only")
    return found


def as_number(answer: Any) -> float | None:
    """The number that an answer is or holds; None where it holds none, or several."""
    if isinstance(answer, bool) or answer is None:
        return None
    if isinstance(answer, int | float):
        return float(answer) if math.isfinite(answer) else None
    found = re.findall(r"[-+]?\d[\d,]*\.?\d*(?:[eE][-+]?\d+)?", str(answer))
    return float(found[0].replace(",", "")) if len(found) == 1 else None


def _positions(answer: Any) -> list[tuple[float, float]] | None:
    """Pairs of longitude and latitude: a pair, a list of pairs, or a text with so many numbers."""
    if isinstance(answer, str):
        numbers = [float(each) for each in re.findall(r"[-+]?\d+\.\d+", answer)]
        return list(zip(numbers[::2], numbers[1::2], strict=True)) if numbers and len(numbers) % 2 == 0 else None
    try:
        pairs = np.asarray(answer, float).reshape(-1, 2)
    except (ValueError, TypeError):
        return None
    return [(float(lon), float(lat)) for lon, lat in pairs] if len(pairs) and np.isfinite(pairs).all() else None


def _other_unit(question: Question, worked: Worked, answer: Any, gsd_m: float) -> bool:
    """Whether the answer is right in another unit: hectares, kilometres, pixels, or the other way round."""
    number = as_number(answer)
    if number is None or not number or not worked.answer:
        return False
    factors = (*FACTORS, gsd_m, gsd_m**2)
    return any(
        right(question, worked, number * f, gsd_m) or right(question, worked, number / f, gsd_m) for f in factors
    )


def _misseen(call: Mapping[str, Any], scene: Scene) -> bool:
    """Whether a call of the prompter found more or fewer things than there are. Only whole images and one category are judged."""
    arguments = call.get("arguments") or {}
    if (
        call.get("tool") != "reason_segment"
        or arguments.get("bbox")
        or arguments.get("min_area_m2")
        or "total" not in call
    ):
        return False
    meant = named_categories(str(arguments.get("query", "")), scene.categories)
    if len(meant) != 1:
        return False
    return int(call["total"]) != sum(thing.category == meant[0] for thing in scene.things)


def named_categories(question: str, categories: Sequence[str]) -> list[str]:
    """The categories that a question names, in the singular or the plural, or by the last word of their name."""
    words = set(re.findall(r"[a-z]+", question.casefold()))
    stems = words | {word[:-1] for word in words if word.endswith("s")}
    return [each for each in categories if each.split()[-1] in stems]
