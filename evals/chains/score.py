"""Whether an answer is right, and which class of failure it is where it is not.

The first class that fits:

- `unit`: right but for a factor between units (hectares for square metres, pixels for metres, ...);
- `tool`: no tool was called, or one that does not exist, or only `reason_segment` where the scripted solution needs another one;
- `argument name`: the last call of some tool was refused for an argument that the tool does not have;
- `argument value`: the last call of some tool was refused for an argument's value;
- `perception`: the calls were right and the masks were wrong: a call found a number of things, or an area, that is not there;
- `no answer`: none of these, and nothing was answered;
- `argument value`: everything else (a call that worked with a wrong number, a wrong choice, a wrong sum).

Without tools a wrong answer is `unit`, `no answer` or `perception`. The calls of a scripted solution are right, since it answers
right where perception does: what fails otherwise is `perception`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pyproj import Geod

from evals.chains.questions import Question
from evals.chains.truth import Exact, Worked, work_out

Failure = Literal["", "tool", "argument name", "argument value", "unit", "perception", "no answer"]
Calls = Sequence[Mapping[str, Any]]  # rows of the log that belong to one question
FAILURES: tuple[Failure, ...] = ("tool", "argument name", "argument value", "unit", "perception", "no answer")
# hectares, square kilometres, per cent, kilometres, decimetres, feet, square feet, miles, acres
FACTORS = (1e4, 1e6, 100.0, 1e3, 10.0, 0.3048, 0.3048**2, 1609.344, 4046.8564)
SAME_AREA = 0.02  # share by which the area of what was found may differ from the true one
STURDY_PX = 0.7  # thresholds may move by so much without changing what counts as right
_FIRST_PX, _FIRST_SHARE = 1.2, 0.004  # by which the first must be ahead of the second
_WGS84 = Geod(ellps="WGS84")
_NONE = {"none", "no", "0", "0.0", "empty", "nothing"}
_OF_THE_MODELS = ("model_failed", "endpoint_failed", "answer_unparsable")  # errors that no argument causes


def right(question: Question, worked: Worked, answer: Any, gsd_m: float) -> bool:
    """Whether an answer counts. Text that holds a number, a list or a word is read as that."""
    form, truth = question.answer, worked.answer
    if answer is None:
        return False
    if form.kind in ("number", "count"):
        number = as_number(answer)
        return number is not None and abs(number - truth) <= form.most_off(truth, gsd_m)
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
        if not apart or min(apart) > form.pixels:
            return False
        left.pop(int(np.argmin(apart)))
    return True


def failure(
    question: Question,
    worked: Worked,
    answer: Any,
    exact: Exact,
    calls: Calls,
    *,
    pictures_only: bool = False,
    scripted: bool = False,
) -> Failure:
    """The class of failure, "" for a right answer."""
    if right(question, worked, answer, exact.scene.gsd_m):
        return ""
    answered = answer is not None and str(answer).strip() != ""
    if answered and _other_unit(question, worked, answer, exact.scene.gsd_m):
        return "unit"
    if scripted:
        return "perception"
    if pictures_only:
        return "perception" if answered else "no answer"
    if _wrong_tool(question, calls):
        return "tool"
    if refused := _refused(calls):
        return refused
    if any(_misperceived(call, exact) for call in calls):
        return "perception"
    return "argument value" if answered else "no answer"


def _wrong_tool(question: Question, calls: Calls) -> bool:
    called = {call.get("tool") for call in calls}
    if not called or any("there is no tool" in str(call.get("error", "")) for call in calls):
        return True
    needed = set(question.tools) - {"reason_segment"}
    return bool(needed) and not needed & called


def _refused(calls: Calls) -> Failure:
    """Of which class the refusal is where the last call of a tool was refused; "" where none was."""
    last = {call.get("tool"): str(call.get("error", "")) for call in calls}
    errors = [error for error in last.values() if error and not error.startswith(_OF_THE_MODELS)]
    if any("has no argument" in error for error in errors):
        return "argument name"
    return "argument value" if errors else ""


def _misperceived(call: Mapping[str, Any], exact: Exact) -> bool:
    """Whether a call found another number or another area of things than there is.

    Only calls for one category in the whole image are judged: what part of a thing a box shows is a question of its own.
    """
    arguments = call.get("arguments") or {}
    if call.get("tool") != "reason_segment" or arguments.get("bbox") or arguments.get("min_area_m2"):
        return False
    meant = named_categories(str(arguments.get("query", "")), exact.scene.categories)
    if len(meant) != 1:
        return False
    if str(call.get("error", "")).startswith(_OF_THE_MODELS):
        return True
    if "total" not in call:
        return False
    there = [i for i, thing in enumerate(exact.scene.things) if thing.category == meant[0]]
    area = float(exact.area[there].sum())
    found = call.get("total_area_m2")
    return int(call["total"]) != len(there) or (found is not None and abs(found - area) > SAME_AREA * area)


def sturdy(question: Question, exact: Exact) -> list[str]:
    """Reasons why a question's answer hangs on less than a mask of pixels can know; none for a good question."""
    worked = work_out(exact.scene, question.truth, exact)
    answer, margin_px, margin_share = worked.answer, worked.margin_px, worked.margin_share
    found = []
    for shift in (-STURDY_PX, STURDY_PX):
        exact.shift_px = shift
        moved = work_out(exact.scene, question.truth, exact).answer
        if not right(question, Worked(answer), moved, exact.scene.gsd_m):
            found.append(f"with thresholds moved by {shift} px it is {moved}, not {answer}")
    exact.shift_px = 0.0
    if margin_px < _FIRST_PX:
        found.append(f"the first is ahead of the second by {margin_px:.2f} px only")
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
    """Whether a measured number is right in another unit: hectares, kilometres, pixels, or the other way round."""
    number = as_number(answer)
    if question.answer.kind != "number" or not number or not worked.answer:
        return False
    factors = (*FACTORS, gsd_m, gsd_m**2)
    return any(
        right(question, worked, number * f, gsd_m) or right(question, worked, number / f, gsd_m) for f in factors
    )


def named_categories(question: str, categories: Sequence[str]) -> list[str]:
    """The categories that a question names, in the singular or the plural.

    "tennis courts" names that category alone; "courts" every category of which it is the last word.
    """
    words = [word.removesuffix("s") for word in re.findall(r"[a-z]+", question.casefold())]
    text = f" {' '.join(words)} "
    whole = [each for each in categories if f" {_singular(each)} " in text]
    covered = {_singular(each).split()[-1] for each in whole}
    last = {_singular(each).split()[-1] for each in categories} & set(words) - covered
    return [each for each in categories if each in whole or _singular(each).split()[-1] in last]


def _singular(category: str) -> str:
    return " ".join(word.removesuffix("s") for word in category.casefold().split())
